"""The ways a handler can take a request body: read in pieces on the pool, sunk on the loop, from a file. The client is
slowed down to what takes it, hears 100 Continue when it is wanted, and a failure reaches whoever reads."""

import os
import threading

import pytest

import galley
from ways import only

pytestmark = pytest.mark.core
MIB = 1 << 20
LONG = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def server(program):
    return program("body_server")


def tally(body):
    return f"{len(body)} {sum(body)}\n"


def chunked(body, size=50_000):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def head(target, *lines):
    return "\r\n".join([f"POST {target} HTTP/1.1", "Host: a", *lines, "", ""]).encode()


def seen(server):
    """The last failure that a handler was told of, how many were told to stop, how many are held, how many have taken
    a first piece."""
    with server.connect() as client:
        name, told, held, taken = client.get("/seen").text.split()
    return name, int(told), int(held), int(taken)


def peak_kib(server):
    with open(f"/proc/{server.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


@pytest.mark.parametrize("target", ["/read", "/spool", "/sink"])
@pytest.mark.parametrize("body", [b"", b"x", LONG + b"end"], ids=["empty", "short", "long"])
def test_a_body_arrives_whole_either_way_it_is_framed(server, target, body):
    with server.connect() as client:
        assert client.get(target, method="POST", body=body).text == tally(body)
        client.send(head(target, "Transfer-Encoding: chunked") + chunked(body))
        assert client.read_response("POST").text == tally(body)
        assert client.get("/").text == "plain\n", "the connection goes on"


@pytest.mark.parametrize("target", ["/read", "/spool", "/sink", "/echo"])
def test_a_request_behind_a_body_is_answered_in_its_turn(server, target):
    with server.connect() as client:
        client.send(
            galley.request_bytes(target, method="POST", body=b"0123456789")
            + galley.request_bytes("/")
            + galley.request_bytes(target, method="POST", body=b"again")
        )
        first, second, third = (client.read_response("POST") for _ in range(3))
        assert second.text == "plain\n"
        assert [first.text, third.text] == (
            ["0123456789", "again"] if target == "/echo" else [tally(b"0123456789"), tally(b"again")]
        )


# ---- 100 Continue ----


def test_100_continue_comes_at_the_first_read_and_not_before(server):
    """RFC 9110 §10.1.1"""
    with server.connect() as client:
        client.send(head("/held", "Expect: 100-continue", "Content-Length: 5"))
        galley.wait_until(lambda: seen(server)[2] == 1, 10, "the handler runs")
        client.expect_open(0.2)
        with server.connect() as other:
            other.get("/go")
        assert client.read_head().status == 100
        client.send(b"abcde")
        assert client.read_response("POST").text == tally(b"abcde")
        assert client.get("/").text == "plain\n"


def test_a_handler_that_does_not_read_gets_no_body_and_the_connection_ends(server):
    """RFC 9110 §10.1.1"""
    with server.connect() as client:
        client.send(head("/unread", "Expect: 100-continue", "Content-Length: 5"))
        response = client.read_response("POST")
        assert response.interim == [] and response.text == "plain\n"
        client.expect_end_after(response)


# ---- memory and both directions ----


def send_in_thread(client, data, times):
    def run():
        for _ in range(times):
            client.send(data)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("target", ["/read", "/spool", "/sink"])
def test_20_mb_are_taken_in_bounded_memory(server, target):
    with server.connect() as client:
        assert client.get(target, method="POST", body=b"warm").status == 200
        before = peak_kib(server)
        client.send(head(target, f"Content-Length: {20 * MIB}"))
        for _ in range(20):
            client.send(LONG)
        assert client.read_response("POST").text == f"{20 * MIB} {20 * sum(LONG)}\n"
    if galley.SLOW == 1:  # sanitizers keep what was freed
        assert peak_kib(server) - before < 6 * 1024


ECHOED = 100 if galley.SLOW == 1 else 20  # MiB; sanitizers keep what was freed, so that memory is not judged there


def test_100_mb_are_echoed_in_bounded_memory_while_both_sides_are_slow_in_turn(server):
    with server.connect(timeout=30.0) as client:
        assert client.get("/echo", method="POST", body=b"warm").text == "warm"
        before = peak_kib(server)
        client.send(head("/echo", f"Content-Length: {ECHOED * MIB}"))
        thread = send_in_thread(client, LONG, ECHOED)
        response = client.read_head()
        assert response.status == 200
        total, at = 0, 0
        while total < ECHOED * MIB:  # nothing is read ahead of what is compared
            size = int(client._read_to(b"\r\n", 64)[:-2], 16)
            piece = client.read_bytes(size + 2)[:-2]
            begin = total % MIB
            assert piece == (LONG + LONG)[begin : begin + size]
            total += size
            at += 1
            if at % 1000 == 0:
                galley.time.sleep(0.01)  # now and then the reader stalls, and so must the writer
        thread.join()
        assert total == ECHOED * MIB and client.read_bytes(5) == b"0\r\n\r\n"
    if galley.SLOW == 1:
        assert peak_kib(server) - before < 8 * 1024


def test_a_handler_that_does_not_read_makes_the_client_wait(server):
    size = 32 * MIB
    with server.connect(timeout=0.5) as client:
        client.send(head("/held", f"Content-Length: {size}"))
        galley.wait_until(lambda: seen(server)[2] == 1, 10, "the handler runs")
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += client.socket.send(LONG)
        assert sent < size * 3 // 4, "what the kernel's buffers hold, and a little"
        with server.connect() as other:
            other.get("/go")
        client.socket.settimeout(30 * galley.SLOW)
        rest = size - sent
        whole = LONG * (rest // MIB + 2)
        client.send(whole[sent % MIB : sent % MIB + rest])
        assert client.read_response("POST").text == f"{size} {size // MIB * sum(LONG)}\n"


# ---- what goes wrong ----


def test_a_body_over_the_limit_is_413_declared_or_chunked(server):
    with server.connect() as client:
        client.send(head("/small", "Content-Length: 1001"))
        response = client.read_response("POST")
        assert response.status == 413
        client.expect_end_after(response)
    with server.connect() as client:
        client.send(head("/small", "Transfer-Encoding: chunked") + chunked(b"x" * 1001, 100))
        response = client.read_response("POST")
        assert response.status == 413
        client.expect_end_after(response)
    assert seen(server)[0] == "ETOOBIG"


@only("http1", because="chunks, and a connection that is half closed")
def test_a_malformed_chunk_and_an_early_end_are_400(server):
    for target in "/read", "/sink":
        with server.connect() as client:
            client.send(head(target, "Transfer-Encoding: chunked") + b"5\r\nabcdefg\r\n")
            assert client.read_response("POST").status == 400
            client.expect_closed()
        with server.connect() as client:
            client.send(head(target, "Content-Length: 5") + b"abc")
            client.finish_sending()
            assert client.read_response("POST").status == 400
            client.expect_closed()
        assert seen(server)[0] == "EPROTO"


@pytest.mark.parametrize("target", ["/read", "/sink", "/spool"])
def test_a_body_that_comes_too_slowly_is_408(program, target):
    server = program("body_server", f"body_grace_ms={int(300 * galley.SLOW)}", "body_min_rate=100000")
    with server.connect() as client:
        client.send(head(target, "Content-Length: 50") + b"abc")
        response = client.read_response("POST")
        assert response.status == 408
        client.expect_end_after(response)
    if target != "/spool":
        assert seen(server)[0] == "ETIMEDOUT"


@pytest.mark.parametrize("target", ["/read", "/echo", "/sink"])
def test_who_reads_is_told_when_the_client_vanishes(server, target):
    with server.connect() as client:
        client.send(head(target, "Content-Length: 50") + b"abc")
        galley.wait_until(lambda: seen(server)[3] == 1, 10, "the handler reads")
        client.reset()
    galley.wait_until(lambda: seen(server)[0] == "ECLOSED", 10, "the handler was woken")
    if target != "/sink":
        assert seen(server)[1] == 1, "galley_should_stop() was true"


def test_an_early_answer_skips_a_short_rest_and_ends_behind_a_long_one(server):
    with server.connect() as client:
        client.send(galley.request_bytes("/early", method="POST", body=b"x" * 300_000))
        assert client.read_response("POST").text == "early\n"
        assert client.get("/").text == "plain\n"
    with server.connect() as client:
        client.send(head("/early", f"Content-Length: {64 * MIB}") + b"x" * 1000)
        response = client.read_response("POST")
        assert response.text == "early\n"
        client.expect_end_after(response)


def test_a_stop_ends_handlers_that_wait_for_a_body(program):
    server = program("body_server", "drain_ms=200", expect_exit=3)
    with server.connect() as client:
        client.send(head("/read", "Content-Length: 50") + b"abc")
        galley.wait_until(lambda: seen(server)[3] == 1, 10, "the handler reads")
        server.stop(3)


# ---- files ----


def test_spooled_bodies_leave_nothing_behind(program, tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir()
    server = program("body_server", f"spool_dir={folder}")
    with server.connect() as client:
        client.send(head("/spool", f"Content-Length: {4 * MIB}") + LONG * 2)

        def spooled():
            return [name for name in server.open_files() if name.startswith(str(folder))]

        galley.wait_until(lambda: len(spooled()) == 1, 10, "the file is open")
        assert os.listdir(folder) == [], "it has no name"
        client.send(LONG * 2)
        assert client.read_response("POST").text == f"{4 * MIB} {4 * sum(LONG)}\n"
        galley.wait_until(lambda: spooled() == [], 10, "the file is closed")


def test_a_spool_folder_that_goes_away_is_500(program, tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir()
    server = program("body_server", f"spool_dir={folder}")
    folder.rmdir()
    with server.connect() as client:
        assert client.get("/spool", method="POST", body=b"x").status == 500
    assert "cannot be kept" in server.stderr
