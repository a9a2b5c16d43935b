"""HTTP/2 for tests that were written in HTTP/1.1: a translator that stands where the socket of a galley.Client stands.

What is sent to it must be requests of HTTP/1.1. Each becomes a stream; pipelined requests are streams at the same time.
What is received from it are the answers as HTTP/1.1 has them, in the order of the requests, as a gateway would pass them
on (RFC 9113 §8, RFC 9112 §6): a body with a Content-Length as it is, any other in chunks, one for each DATA frame.

    RST_STREAM, or the end of the connection, before the end of an answer
                                             ConnectionResetError: what was cut does not look whole
    GOAWAY                                   later answers say Connection: close; requests that the server will not
                                             see any more get no answer
    the server's windows                     sending waits, with the time limit of the socket
    a client that does not receive           no WINDOW_UPDATE for its streams

What HTTP/2 has no word for is refused with Untranslatable, which fails the test and says what it was: such a test is
about HTTP/1 itself and says so, @only("http1", because="..."). Dropped without a word are, as gateways do, chunk
extensions, keep-alive and the version.

python3-h2 judges what the server sends: what it finds wrong is a galley.ProtocolError.
"""

import http
import re
import socket
import threading
from collections import deque

import h2.config
import h2.connection
import h2.events
import h2.exceptions

import galley

FRAME_HEAD, GOAWAY = 9, 7
WIDE_WINDOW = 1 << 30  # of the connection: each stream is held back by its own, so that they cannot block each other
REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~\x80-\xff]+) HTTP/1\.1")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
REFUSED_FIELDS = {b"upgrade", b"http2-settings", b"te", b"keep-alive", b"proxy-connection"}


class Untranslatable(AssertionError):
    """HTTP/2 cannot say this."""

    def __init__(self, what):
        super().__init__(f'no HTTP/2 for {what}: is the test about HTTP/1? Then mark it @only("http1", because="...")')


def fail_unless(condition, what):
    if not condition:
        raise Untranslatable(what)


class Request:
    """The head of a request of HTTP/1.1, as HTTP/2 has it."""

    def __init__(self, head, scheme):
        line, *rest = head.split(b"\r\n")
        match = REQUEST_LINE.fullmatch(line)
        fail_unless(match, f"the request line {line[:80]!r}")
        self.method, target = match.groups()
        fail_unless(target.startswith(b"/") or target == b"*", f"the target {target[:80]!r}")
        self.closes = self.is_chunked = False
        self.length, hosts, fields = 0, [], []
        for line in rest:
            match = FIELD_LINE.fullmatch(line)
            fail_unless(match, f"the header line {line[:80]!r}")
            self._take_field(match[1].lower(), match[2], hosts, fields)
        fail_unless(len(hosts) == 1, f"{len(hosts)} Host fields")
        pseudo = [(b":method", self.method), (b":scheme", scheme), (b":authority", hosts[0]), (b":path", target)]
        self.fields = pseudo + fields

    def _take_field(self, name, value, hosts, fields):
        if name == b"host":
            hosts.append(value)
        elif name == b"connection":
            fail_unless(value.lower() in (b"close", b"keep-alive"), f"Connection: {value!r}")
            self.closes |= value.lower() == b"close"
        elif name == b"transfer-encoding":
            fail_unless(value == b"chunked" and not self.length, f"Transfer-Encoding: {value!r}")
            self.is_chunked = True
        else:
            fail_unless(name not in REFUSED_FIELDS, f"the field {name!r}")
            fields.append((name, value))
            if name == b"content-length":
                fail_unless(value.isdigit() and not self.is_chunked and not self.length, f"Content-Length: {value!r}")
                self.length = int(value)


class Exchange:
    """A stream: what has come of its answer, in HTTP/1.1."""

    def __init__(self, stream, request):
        self.stream, self.request = stream, request
        self.pieces = deque()  # (bytes, what they took of the windows)
        self.has_begun = self.is_chunked = self.is_ended = False
        self.is_deaf = stream is None  # what is sent is heard by nobody
        self.reset = None  # the error code of RST_STREAM

    def add_head(self, fields, more=b""):
        self.has_begun = True
        fields = list(fields)
        status = int(dict(fields)[b":status"])
        reason = http.HTTPStatus(status).phrase if status in http.HTTPStatus._value2member_map_ else ""
        names = {name for name, _ in fields}
        has_no_body = status < 200 or status in (204, 304) or self.request.method == b"HEAD"
        self.is_chunked = not has_no_body and b"content-length" not in names
        lines = [f"HTTP/1.1 {status} {reason}".encode()]
        lines += [name + b": " + value for name, value in fields if not name.startswith(b":")]
        if self.is_chunked:
            lines.append(b"transfer-encoding: chunked")
        self.pieces.append((b"\r\n".join(lines) + b"\r\n" + more + b"\r\n", 0))

    def add_data(self, data, flow):
        self.pieces.append((b"%x\r\n%b\r\n" % (len(data), data) if self.is_chunked and data else data, flow))

    def add_trailers(self, fields):
        if not self.is_chunked:
            raise galley.ProtocolError(f"trailers behind a body with Content-Length: {fields}")
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        self.pieces.append((b"0\r\n" + lines + b"\r\n", 0))
        self.is_chunked = False

    def end(self):
        if self.is_chunked:
            self.pieces.append((b"0\r\n\r\n", 0))
        self.is_ended = True

    def take(self, size):
        """-> (bytes, what may be given back to the windows)."""
        data, flow = self.pieces.popleft()
        if len(data) > size:
            self.pieces.appendleft((data[size:], flow))
            return data[:size], 0
        return data, flow


class Body:
    """What is still to come of a request's body."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.is_chunked, self.left = exchange.request.is_chunked, exchange.request.length
        self.is_last = not self.is_chunked  # `left` is all there is


class H2Socket:
    def __init__(self, raw, scheme=b"https"):
        """raw: a tls_socket.TlsSocket that has chosen h2."""
        config = h2.config.H2Configuration(client_side=True, header_encoding=False, validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self.raw, self.scheme = raw, scheme
        self.h2 = h2.connection.H2Connection(config)
        self.state = threading.Condition()  # over all that follows, but for typed and body, which the sender has
        self.send_lock = threading.Lock()  # keeps the order of what is sent; taken before state
        self.is_receiving = False  # a thread is in raw.recv()
        self.frames = bytearray()
        self.asked = deque()  # exchanges whose answers have not been read, in the order of the requests
        self.by_stream = {}
        self.goaway = None  # (last stream, error code)
        self.pongs = 0  # less than 0: so many are missing
        self.has_settings = self.is_at_end = self.is_over = False
        self.typed = bytearray()  # HTTP/1.1 that is not translated yet
        self.is_sending = False  # a thread is translating it
        self.body = None
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # WINDOW_UPDATEs are not to wait for acknowledgements
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(WIDE_WINDOW)
        self._wait(lambda: self.has_settings or self.is_at_end or None)  # how many streams there may be

    def __getattr__(self, name):
        return getattr(self.raw, name)

    # -- both directions

    def _flush(self):
        with self.send_lock:
            with self.state:
                data = self.h2.data_to_send()
            if data:
                self.raw.sendall(data)

    def _wait(self, take):
        """Receives until take(), called with the lock, gives something other than None."""
        while True:
            with self.state:
                found = take()
                if found is None and self.is_receiving:
                    if not self.state.wait(self.raw.gettimeout()):
                        raise TimeoutError("timed out")
                    continue
                self.is_receiving |= found is None
            try:
                self._flush()
            except (BrokenPipeError, ConnectionResetError):
                pass  # what the server said before it left can still be read
            if found is not None:
                return found
            self._receive()

    def _receive(self):
        data = None
        try:
            data = self.raw.recv(65536)
        finally:
            with self.state:
                self.is_receiving = False
                self.state.notify_all()
                if data:
                    self._digest(data)
                elif data is not None:
                    self.is_at_end = True

    def _digest(self, data):
        """python3-h2 takes nothing behind a GOAWAY, though streams go on: it does not see those frames."""
        self.frames += data
        while len(self.frames) >= FRAME_HEAD + int.from_bytes(self.frames[:3], "big") and len(self.frames) >= FRAME_HEAD:
            size = FRAME_HEAD + int.from_bytes(self.frames[:3], "big")
            frame = bytes(self.frames[:size])
            del self.frames[:size]
            if frame[3] == GOAWAY:
                self.goaway = int.from_bytes(frame[9:13], "big"), int.from_bytes(frame[13:17], "big")
                continue
            try:
                events = self.h2.receive_data(frame)
            except h2.exceptions.ProtocolError as error:
                raise galley.ProtocolError(f"HTTP/2: {type(error).__name__}: {error}") from error
            for event in events:
                self._take_event(event)

    def _take_event(self, event):
        exchange = self.by_stream.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.has_settings = True
        elif isinstance(event, h2.events.PingAckReceived):
            self.pongs += 1
        elif isinstance(event, (h2.events.ResponseReceived, h2.events.InformationalResponseReceived)):
            exchange.add_head(event.headers, b"connection: close\r\n" if self.goaway else b"")
        elif isinstance(event, h2.events.DataReceived):
            exchange.add_data(event.data, event.flow_controlled_length)
        elif isinstance(event, h2.events.TrailersReceived):
            exchange.add_trailers(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            exchange.end()
        elif isinstance(event, h2.events.StreamReset) and exchange:
            exchange.is_deaf = True
            exchange.reset = int(event.error_code)

    # -- receiving

    def recv(self, size):
        return self._wait(lambda: self._translated(size))

    def _translated(self, size):
        """Bytes of the answer whose turn it is; b"": the end; None: nothing yet."""
        while self.asked and not self.is_over:
            first = self.asked[0]
            if first.pieces:
                data, flow = first.take(size)
                if flow:
                    self.h2.acknowledge_received_data(flow, first.stream)
                if data:
                    return data
            elif first.is_ended:
                self.is_over = first.request.closes
                self.asked.popleft()
            elif first.reset is not None:
                self.asked.popleft()
                raise ConnectionResetError(f"RST_STREAM with error {first.reset}")
            elif self.goaway and first.stream > self.goaway[0]:
                self.asked.popleft()
            elif self.is_at_end and first.has_begun:  # RFC 9113 §8.1: without END_STREAM it is not whole
                self.asked.popleft()
                raise ConnectionResetError("the connection ended in the middle of an answer")
            else:
                return b"" if self.is_at_end else None
        if self.is_over or self.is_at_end:
            return b""
        self._refuse_half_a_head()
        return None

    # -- sending

    def send(self, data):
        self._translate()
        self.typed += data
        try:
            self._translate()
        except (BlockingIOError, TimeoutError):
            pass  # it is taken, and goes with the next one
        return len(data)

    def sendall(self, data):
        self.typed += data
        self._translate()

    def _translate(self):
        self.is_sending = True
        try:
            self._translate_all()
        finally:
            self.is_sending = False

    def _translate_all(self):
        while True:
            if self.body:
                if not self._pass_on_body():
                    return
                self.body = None
            end = self.typed.find(b"\r\n\r\n")
            if end < 0:
                return
            request = self._read_head(bytes(self.typed[:end]))
            exchange = self._wait(lambda: self._begin(request))
            del self.typed[: end + 4]
            self.body = Body(exchange)

    def _read_head(self, head):
        try:
            return Request(head, self.scheme)
        except Untranslatable:
            self.typed.clear()
            raise

    def _begin(self, request):
        """An exchange; None: there are as many as the server allows."""
        if self.is_at_end:
            raise BrokenPipeError("the server has closed")
        if self.goaway:
            return Exchange(None, request)
        if self.h2.open_outbound_streams >= self.h2.remote_settings.max_concurrent_streams:
            return None
        stream = self.h2.get_next_available_stream_id()
        exchange = self.by_stream[stream] = Exchange(stream, request)
        self.asked.append(exchange)
        self.h2.send_headers(stream, request.fields, end_stream=not request.is_chunked and not request.length)
        exchange.is_deaf = not request.is_chunked and not request.length
        return exchange

    def _pass_on_body(self):
        """False: there is more to come."""
        body = self.body
        while True:
            while body.left and self.typed:
                self._pass_on_data(body)
            if body.left:
                return False
            if body.is_last:
                return True
            if not self._begin_chunk(body):
                return False

    def _pass_on_data(self, body):
        stream = body.exchange.stream

        def send():
            if body.exchange.is_deaf:
                return min(len(self.typed), body.left)
            if self.is_at_end:
                raise BrokenPipeError("the server has closed")
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            size = min(len(self.typed), body.left, room)
            if size > 0:
                is_end = body.is_last and size == body.left
                self.h2.send_data(stream, bytes(self.typed[:size]), end_stream=is_end)
                return size
            return None

        size = self._wait(send)
        del self.typed[:size]
        body.left -= size

    def _begin_chunk(self, body):
        """Chunk line or trailers. False: not all of it has come."""
        at_crlf = 2 if self.typed[:2] == b"\r\n" and body.is_chunked == "data" else 0
        end = self.typed.find(b"\r\n", at_crlf)
        if end < 0:
            return False
        line = bytes(self.typed[at_crlf:end])
        match = re.fullmatch(rb"([0-9A-Fa-f]{1,15})(;[\t -~\x80-\xff]*)?", line)
        fail_unless(match and (at_crlf or body.is_chunked != "data"), f"the chunk line {line[:80]!r}")
        size = int(match[1], 16)
        if size == 0:
            return self._end_chunks(body, end)
        body.left, body.is_chunked = size, "data"
        del self.typed[: end + 2]
        return True

    def _end_chunks(self, body, end):
        stop = self.typed.find(b"\r\n\r\n", end)
        if stop < 0:
            return False
        lines = bytes(self.typed[end + 2 : stop + 2]).split(b"\r\n")[:-1] if stop > end else []
        matches = [FIELD_LINE.fullmatch(line) for line in lines]
        fail_unless(all(matches), f"the trailers {lines!r}")
        trailers = [(match[1].lower(), match[2]) for match in matches]
        del self.typed[: stop + 4]
        body.is_last = True
        with self.state:
            if not body.exchange.is_deaf and trailers:
                self.h2.send_headers(body.exchange.stream, trailers, end_stream=True)
            elif not body.exchange.is_deaf:
                self.h2.end_stream(body.exchange.stream)
        self._flush()
        return True

    # -- ending

    def ping(self):
        """Waits until the server has answered one: the connection is alive."""
        with self.state:
            self.pongs -= 1
            self.h2.ping(b"are you?")
        assert self._wait(lambda: True if self.pongs == 0 else False if self.is_at_end else None), "the server has closed"

    def shutdown(self, how):
        raise Untranslatable("the end of what a client sends, beside what it receives")

    def _refuse_half_a_head(self):
        """It has not been sent, and the test would judge what the server says to nothing."""
        typed = bytes(self.typed[:80])
        if typed and not self.body and not self.is_sending and b"\r\n\r\n" not in self.typed:
            self.typed.clear()
            raise Untranslatable(f"a head that is not whole, {typed!r}")

    def close(self):
        self.raw.close()
        self._refuse_half_a_head()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
