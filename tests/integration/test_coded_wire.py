"""Compression as clients see it, over HTTP/1.1 and HTTP/2, in clear and with TLS: answers of handlers whole, in pieces
and as events, which answers are left alone, conditions, and bodies that come compressed."""

import random

import pytest

import codings
import galley
import h2_client
import secure

TEXT = bytes(10 if i % 61 == 60 else 97 + (i * 7 + i // 61) % 23 for i in range(100_000))
WAYS = ("http1", "http1-tls", "http2", "http2-tls")


class OverHttp1:
    """One connection; a body in pieces is read as it comes."""

    def __init__(self, sock):
        self.client = galley.Client.of(sock)

    def ask(self, path, headers=(), method="GET", body=b""):
        answer = self.client.get(path, list(headers), method, body)
        return answer.status, {name.lower(): value for name, value in answer.headers}, answer.body

    def begin(self, path, headers):
        self.client.send(galley.request_bytes(path, headers))
        head = self.client.read_head()
        assert head.header("Transfer-Encoding") == "chunked"
        return {name.lower(): value for name, value in head.headers}

    def more(self):
        """The next chunk; nothing at the end."""
        size = int(self.client._read_to(b"\r\n", 100), 16)
        data = self.client.read_bytes(size)
        assert self.client.read_bytes(2) == b"\r\n"
        return data


class OverHttp2:
    def __init__(self, sock):
        self.client = h2_client.Http2Client(sock)

    def ask(self, path, headers=(), method="GET", body=b""):
        headers = [(name.lower(), value) for name, value in headers]
        answer = self.client.get(path, method=method, headers=headers, body=body or None)
        return answer.status, dict(answer.headers), answer.body

    def begin(self, path, headers):
        self.stream = self.client.request(path, headers=[(name.lower(), value) for name, value in headers])
        self.answer, self.taken = self.client.answers[self.stream], 0
        while not self.answer.headers:
            assert self.client.receive()
        return dict(self.answer.headers)

    def more(self):
        while len(self.answer.body) == self.taken and not self.answer.is_ended:
            assert self.client.receive()
        data = self.answer.body[self.taken :]
        self.taken += len(data)
        return data


@pytest.fixture(params=WAYS)
def connect(request, launch):
    """connect() -> a client of the server; each has a connection of its own."""
    server = launch([galley.built("programs", "coded_server")])
    tls_port = int(server.wait_output(r"tls port (\d+)")[1])

    def start():
        over = OverHttp2 if request.param.startswith("http2") else OverHttp1
        if request.param.endswith("-tls"):
            return over(secure.wrapped((server.host, tls_port), alpn=("h2" if over is OverHttp2 else "http/1.1",)))
        return over(server.connect().socket)

    return start


def accepts(value):
    return [("Accept-Encoding", value)]


# ---- answers in one piece


def test_whole_answers_are_compressed_as_the_client_wants_it(connect):
    client = connect()
    for path, text in (("/whole", TEXT), ("/printf", b"[" + b" " * 2999 + b"7]")):
        for coding in codings.ALL:
            status, head, body = client.ask(path, accepts(coding))
            assert (status, head["content-encoding"], head["vary"]) == (200, coding, "Accept-Encoding")
            assert codings.decode(coding, body) == text and len(body) < len(text) / 2
            assert int(head["content-length"]) == len(body)
            # RFC 9110 §9.3.2: HEAD says the same.
            status, of_head, nothing = client.ask(path, accepts(coding), "HEAD")
            assert (status, nothing) == (200, b"")
            assert of_head.pop("date") and head.pop("date") and of_head == head
        status, head, body = client.ask(path)
        assert (status, body, head["vary"]) == (200, text, "Accept-Encoding") and "content-encoding" not in head


def test_what_the_client_refuses_is_not_sent(connect):
    """RFC 9110 §12.5.3: a weight of 0 is a refusal; identity is what is left."""
    client = connect()
    for value, wanted in (
        ("gzip;q=0", None), ("*;q=0", None), ("identity;q=0", None), ("identity", None), ("gzip;q=0, *", "br"),
        ("br;q=0, zstd;q=0, *;q=0.1", "gzip"), ("identity;q=0, gzip", "gzip"), ("*;q=0, zstd;q=0.001", "zstd"),
        ("gzip;q=1.0, br;q=0.9", "gzip"), ("GZIP", "gzip"), ("deflate, compress", None),
    ):  # fmt: skip
        status, head, body = client.ask("/whole", accepts(value))
        assert (status, head.get("content-encoding")) == (200, wanted), value
        assert codings.decode(wanted, body) == TEXT and head["vary"] == "Accept-Encoding"


def test_parts_and_what_must_not_be_transformed_are_left_alone(connect):
    """RFC 9110 §14, RFC 9111 §5.2.2.6."""
    client = connect()
    status, head, body = client.ask("/as-is", accepts("gzip, br, zstd"))
    assert (status, body) == (200, TEXT) and not head.keys() & {"vary", "content-encoding"}
    status, head, body = client.ask("/part", accepts("gzip"))
    assert (status, body) == (206, TEXT[:5000]) and "content-encoding" not in head
    status, head, body = client.ask("/whole", [("Range", "bytes=0-9"), *accepts("gzip")])
    assert status == 200 and codings.decode("gzip", body) == TEXT  # §14.2: a handler that knows no ranges


def test_conditions_name_the_compressed_form(connect):
    """RFC 9110 §8.8.3.3, §13.1, §15.4.5: a strong tag for each form, which the handler knows nothing of."""
    client = connect()
    for coding in codings.ALL:
        status, head, _ = client.ask("/tagged", accepts(coding))
        tag = head["etag"]
        assert (status, tag) == (200, f'"v1-{coding}"')
        status, head, body = client.ask("/tagged", [("If-None-Match", f'"other", {tag}'), *accepts(coding)])
        assert (status, head["etag"], head["vary"], body) == (304, tag, "Accept-Encoding", b"")
        assert client.ask("/tagged", [("If-Match", tag), *accepts(coding)])[0] == 200
        status, head, body = client.ask("/tagged", [("If-Match", '"v2"'), *accepts(coding)])
        assert status == 412 and body == b"another one\n"
    status, head, body = client.ask("/tagged", [("If-None-Match", '"v2"')])
    assert (status, head["etag"], body) == (200, '"v1"', TEXT)
    status, head, _ = client.ask("/tagged", [("If-None-Match", '"v1"')])
    assert (status, head["etag"]) == (304, '"v1"')


# ---- answers in pieces


def read_until(client, decoder, wanted):
    """Reads until what was written can be decoded; more of it does not come until somebody asks."""
    text = b""
    while len(text) < len(wanted):
        data = client.more()
        assert data, f"it ended behind {text!r}"
        text += decoder.feed(data)
    assert text == wanted


@pytest.mark.parametrize("coding", codings.ALL)
def test_each_piece_of_a_handler_can_be_decoded_when_it_is_written(connect, coding):
    client, other, decoder = connect(), connect(), codings.Decoder(coding)
    head = client.begin("/pieces", accepts(coding))
    assert head["content-encoding"] == coding and "content-length" not in head
    for count in range(3):
        assert other.ask("/next")[0] == 200
        read_until(client, decoder, b"piece %d\n" % count)
    while data := client.more():
        assert decoder.feed(data) == b""
    assert decoder.is_ended


@pytest.mark.parametrize("coding", codings.ALL)
def test_each_event_can_be_decoded_when_it_is_sent(connect, coding):
    client, other, decoder = connect(), connect(), codings.Decoder(coding)
    head = client.begin("/events", accepts(coding))
    assert (head["content-encoding"], head["content-type"]) == (coding, "text/event-stream")
    for count in range(3):
        assert other.ask("/say", method="POST", body=b"!event %d" % count)[2] == b"0\n"
        read_until(client, decoder, b"event: said\ndata: event %d\n\n" % count)
    assert other.ask("/bye", method="POST")[2] == b"0\n"
    while data := client.more():
        assert decoder.feed(data) == b""
    assert decoder.is_ended


@pytest.mark.parametrize("coding", codings.ALL)
def test_a_long_piece_of_a_stream_comes_whole(connect, coding):
    client, other, decoder = connect(), connect(), codings.Decoder(coding)
    assert client.begin("/stream", accepts(coding))["content-encoding"] == coding
    assert other.ask("/say", method="POST", body=TEXT)[2] == b"0\n"
    read_until(client, decoder, TEXT)
    assert other.ask("/say", method="POST", body=b"short")[2] == b"0\n"
    read_until(client, decoder, b"short")
    assert other.ask("/bye", method="POST")[2] == b"0\n"
    while data := client.more():
        assert decoder.feed(data) == b""
    assert decoder.is_ended


# ---- bodies that come compressed


@pytest.mark.parametrize("path", ["/body", "/read"])
def test_bodies_are_decoded_and_bombs_are_refused(connect, path):
    """RFC 9110 §8.4, §15.5.14, §15.5.16."""
    text = random.Random(1).randbytes(50_000).hex().encode()
    expected = b"%d %d\n" % (len(text), sum(text))
    for coding in codings.ALL:
        status, _, body = connect().ask(path, [("Content-Encoding", coding)], "POST", codings.encode(coding, text))
        assert (status, body) == (200, expected)
        bomb = codings.encode(coding, bytes(10_000_000))
        assert len(bomb) < 20_000
        assert connect().ask(path, [("Content-Encoding", coding)], "POST", bomb)[0] == 413
        assert connect().ask(path, [("Content-Encoding", coding)], "POST", codings.encode(coding, text)[:-9])[0] == 400
    status, head, _ = connect().ask(path, [("Content-Encoding", "lzma")], "POST", b"x")
    assert (status, head["accept-encoding"]) == (415, "br, zstd, gzip")
    assert connect().ask(path, [("Content-Encoding", "gzip, br")], "POST", b"x")[0] == 415
