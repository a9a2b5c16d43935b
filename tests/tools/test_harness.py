"""tests/harness/galley.py: the strict response reader and the life of a server under test."""

import socket
import sys

import pytest

import galley

LITTLE_SERVER = """
import signal, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(sys.argv[1])))
print(sys.argv[2], file=sys.stderr)
print(f"serving http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
while True:
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi")
    connection.close()
"""


@pytest.fixture
def answer():
    """answer(bytes) -> a client that reads them, from a peer that then closes."""
    pairs = []

    def make(data):
        ours, theirs = socket.socketpair()
        pairs.append((ours, theirs))
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        return galley.Client.of(ours)

    yield make
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


@pytest.fixture
def little_server(tmp_path):
    servers = []

    def start(exit_code=0, words=""):
        server = galley.Server([sys.executable, "-c", LITTLE_SERVER, str(exit_code), words], tmp_path / "work")
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.kill()


def test_a_body_by_length_leaves_the_next_response_alone(answer):
    client = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 204 No Content\r\n\r\n")
    first, second = client.read_response(), client.read_response()
    assert (first.status, first.body, second.status, second.body) == (200, b"hi", 204, b"")
    client.expect_closed()


def test_chunks_and_trailers_are_read(answer):
    client = answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1;x=y\r\n!\r\n0\r\nA: b\r\n\r\n")
    response = client.read_response()
    assert response.body == b"hi!" and response.trailers == [("A", "b")] and response.is_chunked


def test_head_and_304_have_no_body(answer):
    client = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
    assert client.read_response("HEAD").body == b""
    assert client.read_response().status == 304
    client.expect_closed()


def test_interim_responses_are_kept_apart(answer):
    client = answer(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    response = client.read_response()
    assert response.status == 200 and [one.status for one in response.interim] == [100]


def test_a_body_without_framing_ends_with_the_connection(answer):
    response = answer(b"HTTP/1.0 200 OK\r\n\r\nall of it").read_response()
    assert response.body == b"all of it" and response.until_close


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiX\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
        b"",
    ],
)
def test_doubtful_responses_are_refused(answer, wire):
    with pytest.raises(galley.ProtocolError):
        answer(wire).read_response()


def test_bytes_before_the_close_are_noticed(answer):
    with pytest.raises(AssertionError):
        answer(b"HTTP/1.1 400").expect_closed()


def test_a_server_is_found_by_its_url_and_stopped(little_server):
    server = little_server().wait_ready()
    assert server.get("/").body == b"hi"
    assert server.stop() == 0


def test_a_wrong_exit_code_fails_the_stop(little_server):
    with pytest.raises(AssertionError, match="exit 3, expected 0"):
        little_server(exit_code=3).wait_ready().stop()


def test_a_sanitizer_report_fails_the_stop(little_server):
    with pytest.raises(AssertionError, match="a sanitizer reported"):
        little_server(words="x.c:3:1: runtime error: index 4").wait_ready().stop()


def test_a_program_that_ends_early_is_reported_with_its_words(tmp_path):
    server = galley.Server([sys.executable, "-c", "import sys; sys.exit('port taken')"], tmp_path / "work")
    with pytest.raises(AssertionError, match="port taken"):
        server.wait_ready()


def test_request_bytes_adds_host_and_length():
    raw = galley.request_bytes("/x", {"A": "b"}, "POST", b"abc")
    assert raw == b"POST /x HTTP/1.1\r\nHost: galley.test\r\nA: b\r\nContent-Length: 3\r\n\r\nabc"
