"""An HTTP/2 client for whole-server tests, on python3-h2: blocking, one connection, nothing hidden.

    with h2_client.connect(server) as client:
        answer = client.get("/")
        assert answer.status == 200 and answer.body == b"hi"

Several streams at once: `id = client.request(...)`, later `client.answer(id)`.
"""

import h2.config
import h2.connection
import h2.events
import h2.settings

READ_BYTES = 65536


class Answer:
    """What came of one stream so far."""

    def __init__(self):
        self.headers = []
        self.interim = []
        self.body = b""
        self.is_ended = False
        self.reset = None  # the error code of RST_STREAM

    @property
    def status(self):
        return int(self.get(":status"))

    def get(self, name):
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1, f"{name} came more than once"
        return found[0] if found else None


class Http2Client:
    def __init__(self, sock, keeps_windows=False):
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self.sock = sock
        self.h2 = h2.connection.H2Connection(config)
        self.keeps_windows = keeps_windows
        self.answers = {}
        self.goaways = []  # (error code, last stream)
        self.is_closed = False
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def request(self, path, method="GET", headers=(), body=None, ends=True, authority="a"):
        """Begin a stream; its id."""
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", authority), (":path", path), *headers]
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, head, end_stream=body is None and ends)
        self.flush()
        if body is not None:
            self.send(stream, body, ends)
        return stream

    def send(self, stream, data, ends=False):
        """As the windows allow; stops when the server does not want any more."""
        data = memoryview(data)
        is_empty = len(data) == 0
        while len(data) > 0:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(data))
            if room <= 0:  # SETTINGS may take back what was given (RFC 9113 §6.9.2)
                self.receive()
                if self.answers[stream].reset is not None:
                    return
                continue
            is_last = ends and room >= len(data)  # no empty frame behind: h2 refuses it below a window of 0
            self.h2.send_data(stream, bytes(data[:room]), end_stream=is_last)
            data = data[room:]
            self.flush()
        if ends and is_empty:
            self.h2.end_stream(stream)
            self.flush()

    def receive(self):
        """Wait for some bytes, and take them in. False: the server has closed."""
        data = self.sock.recv(READ_BYTES)
        if not data:
            self.is_closed = True
            return False
        for event in self.h2.receive_data(data):
            self.take(event)
        self.flush()
        return True

    def take(self, event):
        answer = self.answers.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ResponseReceived):
            answer.headers = event.headers
        elif isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if not self.keeps_windows and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answer.is_ended = True
        elif isinstance(event, h2.events.StreamReset) and answer:
            answer.reset = int(event.error_code)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((int(event.error_code), event.last_stream_id))

    def answer(self, stream):
        """Wait for the end of a stream."""
        answer = self.answers[stream]
        while not answer.is_ended and answer.reset is None:
            assert self.receive(), "the server closed in the middle of an answer"
        return answer

    def get(self, path, **how):
        return self.answer(self.request(path, **how))


def connect(server, **how):
    return Http2Client(server.connect().socket, **how)


def frames(client):
    """(type, flags, stream, payload) of what comes from now on, until the server closes: for what python3-h2 does not
    bear, for which a connection is over with the first GOAWAY."""
    data = b""
    while True:
        while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
            size = 9 + int.from_bytes(data[:3], "big")
            yield data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:size]
            data = data[size:]
        more = client.sock.recv(READ_BYTES)
        if not more:
            assert not data, "the last frame was cut"
            return
        data += more
