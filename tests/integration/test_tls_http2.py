"""HTTP/2 of the program, spoken by python3-h2: over TLS by ALPN, and in clear by prior knowledge."""

import signal

import pytest

import galley
import secure

h2 = pytest.importorskip("h2")
from h2.config import H2Configuration  # noqa: E402
from h2.connection import H2Connection  # noqa: E402
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset  # noqa: E402

FRAME_HEAD, GOAWAY = 9, 7
SITE = {"index.html": "home", "big.bin": b"0123456789abcdef" * 65536, "404.html": "not here"}


class Client:
    """One connection; answers by stream."""

    def __init__(self, sock):
        self.socket = sock
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.heads, self.bodies, self.ended, self.resets = {}, {}, set(), {}
        self.buffer, self.goaways = b"", []  # (last stream, error code)
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def ask(self, path, method="GET", headers=()):
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "galley.test")]
        self.h2.send_headers(stream, pseudo + list(headers), end_stream=True)
        self.flush()
        return stream

    def take(self, event):
        if isinstance(event, ResponseReceived):
            self.heads[event.stream_id] = dict(event.headers)
        elif isinstance(event, DataReceived):
            self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, StreamReset):
            self.resets[event.stream_id] = event.error_code

    def turn(self):
        """False at the end of the connection. h2 takes nothing behind a GOAWAY, though streams go on: it does not see
        those frames."""
        data = self.socket.recv(65536)
        self.buffer += data
        while len(self.buffer) >= FRAME_HEAD and len(self.buffer) >= FRAME_HEAD + self.frame_bytes():
            size = FRAME_HEAD + self.frame_bytes()
            frame, self.buffer = self.buffer[:size], self.buffer[size:]
            if frame[3] == GOAWAY:
                self.goaways.append((int.from_bytes(frame[9:13], "big"), int.from_bytes(frame[13:17], "big")))
                continue
            for event in self.h2.receive_data(frame):
                self.take(event)
        if data:
            self.flush()
        return bool(data)

    def frame_bytes(self):
        return int.from_bytes(self.buffer[:3], "big")

    def wait(self, *streams):
        while not all(stream in self.ended or stream in self.resets for stream in streams):
            assert self.turn(), "the connection ended before the answers"

    def get(self, path, **more):
        stream = self.ask(path, **more)
        self.wait(stream)
        return self.heads[stream], self.bodies.get(stream, b"")


@pytest.fixture(params=["tls", "clear"])
def connect(request, serve, folder):
    """connect() -> a client; connect.server: the program."""
    root = folder(SITE)
    if request.param == "tls":
        server = serve("--listen=127.0.0.1:0,tls", "--tls-self-signed", root=root)
    else:
        server = serve(root=root)

    def start():
        if request.param == "tls":
            return Client(secure.wrapped((server.host, server.port), alpn=("h2",)))
        return Client(server.connect().socket)

    start.server = server
    return start


def test_pages_as_over_http_1(connect):
    with connect() as client:
        head, body = client.get("/")
        assert head[":status"] == "200" and body == b"home" and head["content-type"].startswith("text/html")
        assert client.get("/big.bin")[1] == SITE["big.bin"]
        head, body = client.get("/missing.html", headers=[("accept", "text/html")])
        assert head[":status"] == "404" and body == b"not here"
        head, body = client.get("/", method="HEAD")
        assert head["content-length"] == "4" and body == b""
        head, body = client.get("/big.bin", headers=[("range", "bytes=16-31")])
        assert head[":status"] == "206" and body == SITE["big.bin"][16:32]
        tag = client.get("/")[0]["etag"]
        assert client.get("/", headers=[("if-none-match", tag)])[0][":status"] == "304"


def test_many_streams_at_once(connect):
    with connect() as client:
        streams = [client.ask("/big.bin" if count % 5 == 0 else "/") for count in range(40)]
        client.wait(*streams)
        assert not client.resets
        for count, stream in enumerate(streams):
            assert client.bodies[stream] == (SITE["big.bin"] if count % 5 == 0 else b"home")


# RFC 9113 §6.8: what was begun is answered, and the last stream is named.
def test_a_stop_answers_what_was_asked(connect):
    with connect() as client:
        assert client.get("/")[1] == b"home"
        streams = [client.ask("/big.bin") for _ in range(3)]
        while not any(stream in client.heads for stream in streams):
            assert client.turn()
        connect.server.signal(signal.SIGTERM)
        client.wait(*streams)
        while client.turn():
            pass
        # First "begin nothing more", then which stream was the last.
        assert client.goaways == [(2**31 - 1, 0), (streams[-1], 0)]
        assert all(client.bodies[stream] == SITE["big.bin"] for stream in streams)
    assert connect.server.wait() == 0


def test_two_protocols_at_one_address(serve, folder):
    server = serve(root=folder(SITE))
    assert server.get("/").text == "home"
    with Client(server.connect().socket) as client:
        assert client.get("/")[1] == b"home"
    answer = server.exchange(b"PRI * HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 ") and galley.parse_head(answer[: answer.index(b"\r\n\r\n") + 4]).status >= 400
