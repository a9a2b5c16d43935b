"""Slow clients: heads, bodies and readers have deadlines that a byte now and then does not move. L20.

The deadlines are short ones here; GALLEY_TEST_FULL=1 takes the real 10 s. What is judged is what happens, in which
order, never how long it took."""

import time

import pytest

import galley
import lab
from ways import only

HEAD_MS = 10_000 if lab.FULL else 1500
ms = int(HEAD_MS * galley.SLOW)


def is_refusal(data, status):
    answers = lab.split_answers(bytes(data))
    return [answer.status for answer in answers] == [status] and answers[0].header("Connection") == "close"


def trickle_until_cut(crowd, server, every):
    """One byte to each, now and then, until all have been cut; a normal client is served all the while. How often
    the bytes went round."""
    rounds, deadline = 0, time.monotonic() + 8 * ms / 1000 + 20
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"y" * 10_000
    with server.connect() as normal:
        while len(crowd.ended) < len(crowd.sockets):
            assert time.monotonic() < deadline, f"{len(crowd.sockets) - len(crowd.ended)} were never cut"
            crowd.send_each(head[rounds : rounds + 1])
            rounds += 1
            next_round = time.monotonic() + every
            while time.monotonic() < next_round:
                assert normal.get("/").status == 200
                crowd.listen()
                time.sleep(0.02)
    return rounds


@only("http1", because="HTTP/2 has whole heads only")
@pytest.mark.alone
def test_500_clients_that_trickle_a_head_are_cut_while_others_are_served(program):
    """L20: one byte every 3 s (10 s deadline; in the short form both are shorter) does not extend the head's deadline."""
    assert lab.raise_fd_limit(1200)
    server = program("lab_server", f"head_timeout_ms={ms}")
    with lab.Crowd(server) as crowd:
        crowd.add(500)
        rounds = trickle_until_cut(crowd, server, 3 * ms / 10_000)
        assert rounds > 2, "they were sending when they were cut"
        assert all(is_refusal(data, 408) for data in crowd.heard.values()), "408 and close, each"
    counts = lab.counters(server)
    assert counts["closed_head_timeout"] == 500, counts


@only("http1", because="who has said the preface is idle")
def test_clients_that_never_say_anything_are_cut(program):
    """L20, pains 18 and 22: the spare connection of a browser, the scanner that only connects."""
    server = program("lab_server", f"head_timeout_ms={int(700 * galley.SLOW)}")
    with lab.Crowd(server) as crowd:
        crowd.add(50)
        galley.wait_until(lambda: crowd.listen() or len(crowd.ended) == 50, 20, "silent connections closed")
        assert all(data == b"" or is_refusal(data, 408) for data in crowd.heard.values())
    assert lab.counters(server)["closed_head_timeout"] == 50


@only("http1", because="HTTP/2 has whole heads only")
def test_the_program_has_the_deadlines_of_its_options(serve, folder):
    """L20: --head-timeout and --idle-timeout of galley itself, each by what the client sees."""
    server = serve(f"--head-timeout={ms // 3}ms", f"--idle-timeout={ms // 3}ms", root=folder({"index.html": "hi"}))
    with server.connect() as half, server.connect() as idle:
        half.send(b"GET / HTTP/1.1\r\nHo")
        assert idle.get("/").body == b"hi"
        idle.expect_closed()
        assert is_refusal(lab.read_all(half)[0], 408)
    assert server.get("/").body == b"hi"


@only("http1", because="HTTP/2 has whole heads only")
def test_a_second_head_has_its_deadline_too(program):
    """L20: begun on a kept-alive connection, byte by byte."""
    server = program("lab_server", f"head_timeout_ms={int(700 * galley.SLOW)}", "idle_timeout_ms=60000")
    with server.connect() as client:
        assert client.get("/").status == 200
        data, raw = b"", b"GET / HTTP/1.1\r\nX: " + b"y" * 1000
        for byte in raw:
            lab.send_what_it_takes(client, bytes([byte]))
            client.socket.settimeout(0.1)
            try:
                part = client.socket.recv(65536)
            except TimeoutError:
                continue
            data += part
            if not part:
                break
        assert is_refusal(data, 408)


def test_a_kept_alive_connection_that_stays_silent_is_closed(program):
    """Idle deadline: a close without a word; RFC 9112 §9.8."""
    server = program("lab_server", f"idle_timeout_ms={int(300 * galley.SLOW)}")
    with server.connect() as client:
        assert client.get("/").status == 200
        client.expect_closed()
    assert lab.counters(server)["closed_idle_timeout"] == 1


@only("http1", because="a slow stream ends alone: test_body_modes.py")
@pytest.mark.parametrize("head", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
def test_a_body_that_trickles_is_cut(program, head):
    """L20: under the minimum rate after the grace; each byte does not begin it anew."""
    server = program("lab_server", f"body_grace_ms={int(500 * galley.SLOW)}", "body_min_rate=1024")
    with lab.Crowd(server) as crowd:
        crowd.add(20)
        crowd.send_each(b"POST /echo HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n\r\n" + (b"1000\r\n" if b"Trans" in head else b""))
        deadline = time.monotonic() + 20 * galley.SLOW
        while len(crowd.ended) < 20:
            assert time.monotonic() < deadline
            crowd.send_each(b"x")
            crowd.listen()
            assert server.get("/").status == 200
            time.sleep(0.05)
        assert all(is_refusal(data, 408) for data in crowd.heard.values())
    assert lab.counters(server)["closed_body_timeout"] == 20


def test_a_body_that_is_slow_but_fast_enough_is_taken(program):
    """The other side of the limit: an honest phone on a bad line."""
    server = program("lab_server", f"body_grace_ms={int(500 * galley.SLOW)}", "body_min_rate=1024")
    with server.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n")
        for _ in range(20):
            client.send(2000 * b"x")
            time.sleep(0.1)
        assert client.read_response().body == 40000 * b"x"


def cut_readers(counts):
    """Connections, of HTTP/2 streams."""
    return counts.get("closed_send_timeout", 0) + counts.get("h2_slow_streams", 0)


@pytest.mark.parametrize("target", ["/files/big", "/stream/64000000"])
def test_a_reader_that_takes_nothing_is_cut(program, folder, target):
    """L20: a large file and a handler's stream; the worker that waits for the client comes back."""
    root = folder({"big": b"b" * (64 << 20)})
    server = program("lab_server", "workers=2", f"send_grace_ms={int(600 * galley.SLOW)}", f"root={root}",
                     "queue_timeout_ms=600000",
                     "idle_timeout_ms=1000")  # the megabytes that the kernel took at first count for one idle time
    clients = [server.connect(receive_buffer=4096) for _ in range(4)]
    for client in clients:
        client.send(galley.request_bytes(target))
    galley.wait_until(lambda: cut_readers(lab.counters(server)) == 4, 30, "slow readers cut")
    for client in clients:
        data, _ = lab.read_all(client)
        assert len(data) < 64_000_000
        client.close()
    with server.connect() as client:
        client.send(2 * galley.request_bytes("/sleep/1"))
        assert [client.read_response().status for _ in range(2)] == [200, 200], "no worker is stuck"


def test_a_reader_that_is_slow_but_fast_enough_gets_it_all(program, folder):
    """The other side of the limit: what the rate asks for is enough, though each answer outlasts the grace."""
    root = folder({"file": b"b" * 3_000_000})
    server = program("lab_server", f"send_grace_ms={int(300 * galley.SLOW)}", "send_min_rate=10000", f"root={root}")
    with server.connect(receive_buffer=4096) as client:
        client.send(galley.request_bytes("/files/file"))
        for _ in range(20):
            client._fill()
            time.sleep(0.05)
        assert client.read_response().body == b"b" * 3_000_000


def test_memory_is_bounded_for_clients_that_never_read(program, folder):
    """Back pressure: pipelined requests without end, and nobody takes the answers."""
    root = folder({"file": b"f" * 100_000})
    server = program("lab_server", "send_grace_ms=60000", f"root={root}")
    assert server.get("/files/file").status == 200
    before = server.resident_bytes()
    requests = 200 * galley.request_bytes("/files/file")
    clients = [server.connect(receive_buffer=4096) for _ in range(20)]
    for client in clients:
        client.socket.setblocking(False)
        try:
            for _ in range(50):
                client.socket.send(requests)
        except BlockingIOError:
            pass
    for _ in range(20):
        assert server.get("/files/file").status == 200
    grown = server.resident_bytes() - before
    print(f"20 clients that never read: {grown >> 10} KiB")
    assert lab.has_sanitizer(server) or grown < 20 * (1 << 20)
    for client in clients:
        client.reset()
    galley.wait_until(lambda: lab.counters(server).get("closed_client_reset", 0) >= 1)
    assert server.get("/").status == 200


@only("http1", because="a lingering close")
def test_a_refused_upload_is_read_for_a_while_so_that_its_answer_arrives(program):
    """RFC 9112 §9.6: lingering close: 413 is seen by a client that goes on sending."""
    server = program("lab_server")
    with server.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(3):
            lab.send_what_it_takes(client, 50_000 * b"x")
        data, _ = lab.read_all(client)
        assert is_refusal(data, 413)


@only("http1", because="a lingering close")
def test_a_refused_upload_without_end_is_cut(program):
    """The lingering close has its own limit of bytes."""
    server = program("lab_server", "linger_ms=20000", "linger_bytes=100000")
    with server.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(10_000):
                client.send(50_000 * b"x")
