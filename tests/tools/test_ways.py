"""tests/harness/ways.py and what stands behind it: the translator to HTTP/2, the TLS connection, and what is left out."""

import ast
import socket
import ssl
import threading
from collections import Counter

import h2.config
import h2.connection
import h2.events
import pytest

import galley
import h2_socket
import secure
import tls_socket
import ways

# How many marks @only there are in tests/integration. One more is a decision: something is not tested over all ways.
LEFT_OUT = {"http1": 18, "plain": 17}


def connected_pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    return ours, theirs


class Peer:
    """The server's side, by python3-h2, in the same thread."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(10 * galley.SLOW)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.heads, self.bodies, self.trailers, self.ended = {}, {}, {}, set()
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def hear(self, until=lambda peer: peer.is_whole(1)):
        while not until(self):
            self.hear_some()

    def is_whole(self, *streams):
        return all(stream in self.ended for stream in streams)

    def hear_some(self):
        for event in self.h2.receive_data(self.sock.recv(65536)):
            if isinstance(event, h2.events.RequestReceived):
                self.heads[event.stream_id] = event.headers
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            elif isinstance(event, h2.events.TrailersReceived):
                self.trailers[event.stream_id] = event.headers
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
        self.flush()

    def answer(self, stream, fields=(), body=b"", ends=True):
        self.h2.send_headers(stream, [(":status", "200"), *fields])
        self.h2.send_data(stream, body, end_stream=ends)
        self.flush()


@pytest.fixture
def pair():
    """(galley.Client that speaks through the translator, Peer)"""
    ours, theirs = connected_pair()
    ours.settimeout(10 * galley.SLOW)
    peer = Peer(theirs)
    client = galley.Client.of(h2_socket.H2Socket(ours))
    yield client, peer
    ours.close()
    theirs.close()


def test_a_request_becomes_a_stream_and_its_answer_comes_back(pair):
    client, peer = pair
    client.send(b"POST /a?b HTTP/1.1\r\nHost: x\r\nX-Name: v\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc")
    peer.hear()
    assert peer.heads[1] == [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", "/a?b"),
                             ("x-name", "v"), ("content-length", "3")]
    assert peer.bodies[1] == b"abc"
    peer.answer(1, [("content-length", "2")], b"hi")
    answer = client.read_response()
    assert (answer.status, answer.body, answer.is_chunked) == (200, b"hi", False)


def test_chunks_and_trailers_go_both_ways(pair):
    client, peer = pair
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;e=f\r\nabc\r\n1\r\nd\r\n0\r\nT: u\r\n\r\n")
    peer.hear()
    assert peer.bodies[1] == b"abcd" and peer.trailers[1] == [("t", "u")]
    peer.answer(1, body=b"hi", ends=False)
    peer.h2.send_headers(1, [("v", "w")], end_stream=True)
    peer.flush()
    answer = client.read_response()
    assert answer.body == b"hi" and answer.is_chunked and answer.trailers == [("v", "w")]


def test_answers_come_in_the_order_of_the_requests(pair):
    client, peer = pair
    client.send(galley.request_bytes("/1") + galley.request_bytes("/2"))
    peer.hear(lambda peer: peer.is_whole(1, 3))
    peer.answer(3, [("content-length", "3")], b"two")
    peer.answer(1, [("content-length", "3")], b"one")
    assert [client.read_response().body for _ in range(2)] == [b"one", b"two"]


def test_what_is_cut_does_not_look_whole(pair):
    client, peer = pair
    client.send(galley.request_bytes("/1") + galley.request_bytes("/2"))
    peer.hear(lambda peer: peer.is_whole(1, 3))
    peer.answer(1, [("content-length", "9")], b"part", ends=False)
    peer.h2.reset_stream(1, 2)
    peer.answer(3, body=b"part", ends=False)
    peer.sock.close()
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            client.read_response()
        client.buffer.clear()


def test_goaway_is_connection_close(pair):
    client, peer = pair
    client.send(galley.request_bytes("/1") + galley.request_bytes("/2"))
    peer.hear(lambda peer: peer.is_whole(1, 3))
    peer.sock.sendall(b"\0\0\x08\x07\0\0\0\0\0" + (1).to_bytes(4, "big") + bytes(4))
    peer.answer(1, [("content-length", "0")])
    assert client.read_response().header("Connection") == "close"
    client.send(galley.request_bytes("/3"))
    peer.sock.close()
    client.expect_closed(allow_reset=True)  # neither the second nor the third


def test_a_client_that_does_not_read_gives_no_window(pair):
    client, peer = pair
    client.send(galley.request_bytes("/"))
    peer.hear()
    peer.answer(1, body=b"", ends=False)
    for _ in range(6):
        peer.h2.send_data(1, b"x" * 10_000)
    peer.flush()
    assert client.read_head().status == 200
    assert peer.h2.local_flow_control_window(1) < 10_000
    for _ in range(6):
        assert client._read_to(b"\r\n", 10) == b"2710\r\n" and client.read_bytes(10_002)
    peer.hear(lambda peer: peer.h2.local_flow_control_window(1) > 30_000)


@pytest.mark.parametrize("wire", [
    b"GET / HTTP/1.0\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"\x16\x03\x01\r\n\r\n",
])
def test_what_http2_cannot_say_is_refused(pair, wire):
    client, _ = pair
    with pytest.raises(h2_socket.Untranslatable, match="@only"):
        client.send(wire)


def test_half_a_head_is_refused_when_an_answer_is_wanted(pair):
    client, _ = pair
    client.send(b"GET / HTTP/1.1\r\nHo")
    with pytest.raises(h2_socket.Untranslatable):
        client.read_response()
    client.send(b"GET /")
    with pytest.raises(h2_socket.Untranslatable):
        client.close()
    with pytest.raises(h2_socket.Untranslatable):
        client.finish_sending()


# ---- TLS


@pytest.mark.parametrize("says_goodbye", [True, False])
def test_an_end_without_close_notify_is_a_reset(tmp_path, says_goodbye):
    """RFC 8446 §6.1."""
    authority = secure.Authority(tmp_path)
    ours, theirs = connected_pair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("galley.test"))

    def serve():
        with context.wrap_socket(theirs, server_side=True) as server:
            server.recv(100)
            server.sendall(b"answer")
            if says_goodbye:
                server.unwrap()

    thread = threading.Thread(target=serve)
    thread.start()
    strict = tls_socket.strict(secure.context(trust=authority.cert))
    with tls_socket.TlsSocket(ours, strict, "galley.test") as client:
        client.settimeout(10 * galley.SLOW)
        client.sendall(b"question")
        assert client.recv(100) == b"answer"
        if says_goodbye:
            assert client.recv(100) == b""
            client.shutdown(socket.SHUT_WR)  # its unwrap() waits for this
        else:
            with pytest.raises(ConnectionResetError):
                client.recv(100)
    thread.join()


# ---- what is left out


def marks():
    """[(file, what, because), ...]: every only(...) of tests/integration."""
    found = []
    for path in sorted((galley.ROOT / "tests/integration").glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "only":
                (because,) = (keyword.value for keyword in node.keywords if keyword.arg == "because")
                found.append((path.name, ast.literal_eval(node.args[0]), because))
    return found


def test_nothing_is_left_out_of_a_way_silently():
    counts = Counter(what for _, what, _ in marks())
    assert counts == LEFT_OUT, "is there no way to test it over all? `pytest tests/integration --ways` lists them"
    assert not [path for path in (galley.ROOT / "tests/integration").glob("*.py") if "mark.only" in path.read_text()]


def test_files_with_ways_of_their_own_are_there():
    files = {path.name for path in (galley.ROOT / "tests/integration").glob("test_*.py")}
    assert set(ways.OWN_WAYS) <= files


def test_ways_are_narrowed_by_marks_and_need_a_reason():
    path = galley.Path("test_x.py")
    http1, plain = ways.only("http1", because="a reason").mark, ways.only("plain", because="another one").mark
    assert ways.ways_of([], path) == ["http", "tls", "h2"]
    assert ways.ways_of([http1], path) == ["http", "tls"]
    assert ways.ways_of([http1, plain], path) == ["http"]
    assert ways.ways_of([], galley.Path("test_tls.py")) == ["http"]
    with pytest.raises(AssertionError):
        ways.only("http1", because="")
