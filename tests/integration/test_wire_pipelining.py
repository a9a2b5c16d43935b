"""Many requests at once, one byte at a time, and clients that stop talking in the middle. L26, L27."""

import signal
import threading

import pytest

import galley
import lab
from ways import only

POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n"


def test_a_thousand_requests_in_one_send_are_answered_in_order(program):
    """RFC 9112 §9.3.2."""
    server = program("lab_server")
    raw = b"".join(galley.request_bytes(f"/path/{i}") for i in range(1000))
    with server.connect() as client:
        sender = threading.Thread(target=client.send, args=(raw,))
        sender.start()
        for i in range(1000):
            assert client.read_response().text == f"/path/{i}"
        sender.join()
        client.expect_open()


def test_a_thousand_files_in_one_send_come_whole_and_in_order(serve, folder):
    """RFC 9112 §9.3.2: cached and cold files, large and small, found and not."""
    files = {f"f{i}.txt": f"file {i} " * (1 + 50 * i) for i in range(40)}
    server = serve(root=folder(files))
    raw = b"".join(galley.request_bytes(f"/f{i % 50}.txt") for i in range(1000))
    with server.connect() as client:
        sender = threading.Thread(target=client.send, args=(raw,))
        sender.start()
        for i in range(1000):
            answer = client.read_response()
            if i % 50 < 40:
                assert answer.status == 200 and answer.text == files[f"f{i % 50}.txt"]
            else:
                assert answer.status == 404
        sender.join()


def test_answers_of_the_pool_and_of_the_loop_keep_their_order(program):
    """RFC 9112 §9.3.2: a quick answer waits for the slow one that was asked for before."""
    server = program("lab_server", "workers=2")
    kinds = [("/sleep/20", "GET", b""), ("/path/x", "GET", b""), ("/echo", "POST", b"body"), ("/", "HEAD", b""),
             ("/nowhere", "GET", b""), ("/echo-on-loop", "POST", b"more")] * 5
    with server.connect() as client:
        client.send(b"".join(galley.request_bytes(target, method=method, body=body) for target, method, body in kinds))
        seen = [client.read_response(method) for _, method, _ in kinds]
    assert [answer.status for answer in seen] == [200, 200, 200, 200, 404, 200] * 5
    assert [seen[i].body for i in range(6) if i != 4] == [b"slept\n", b"/path/x", b"body", b"", b"more"]


@only("http1", because="a connection that is half closed")
def test_a_half_closed_client_gets_all_its_answers(program):
    """RFC 9112 §9.6: the end of what it sends is not the end of what it reads."""
    server = program("lab_server")
    with server.connect() as client:
        client.send(galley.request_bytes("/sleep/30") + POST + galley.request_bytes("/path/z"))
        client.finish_sending()
        data, was_reset = lab.read_all(client)
    answers = lab.split_answers(data)
    assert [answer.body for answer in answers] == [b"slept\n", b"helloabc", b"/path/z"] and not was_reset


@only("http1", because="heads and chunks that are cut")
def test_clients_that_stop_at_every_byte_leave_nothing_behind(program):
    """L26: half-closed and vanished clients at every position of a chunked upload; descriptors, threads and workers
    come back."""
    server = program("lab_server", "workers=2")
    assert server.exchange(POST + galley.request_bytes("/", {"Connection": "close"}))
    fds, threads = server.open_fds(), server.threads()
    for position in range(len(POST) + 1):
        for leave in ("finish_sending", "reset"):
            with server.connect() as client:
                client.send(POST[:position])
                getattr(client, leave)()
                if leave == "reset":
                    continue
                data, _ = lab.read_all(client)
            statuses = [answer.status for answer in lab.split_answers(data)]
            assert statuses in ([[200]] if position == len(POST) else [[], [400], [408]]), position
    galley.wait_until(lambda: server.open_fds() <= fds, what="descriptors back")
    assert server.threads() == threads
    lab.wait_for_held(server, 0)
    with server.connect() as client:  # both workers are free
        client.send(2 * galley.request_bytes("/sleep/1"))
        assert [client.read_response().text for _ in range(2)] == ["slept\n"] * 2


def trickled_cpu_per_byte(server, size, rounds):
    """CPU time per byte of a head of this size, sent one byte at a time."""
    raw = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"v" * 75 + b"\r\n"
    fill = b"Y: " + b"w" * 795 + b"\r\n"
    while len(raw) + len(fill) < size:
        raw += fill
    raw += b"\r\n"
    with server.connect() as client:
        client.socket.setsockopt(galley.socket.IPPROTO_TCP, galley.socket.TCP_NODELAY, 1)
        before = lab.cpu_ns(server)
        for _ in range(rounds):
            for byte in raw:
                client.socket.send(bytes([byte]))
            assert client.read_response().status == 200
        return (lab.cpu_ns(server) - before) / (rounds * len(raw))


@only("plain", because="CPU per byte of a head")
@pytest.mark.alone
def test_a_long_head_byte_by_byte_costs_no_more_per_byte_than_a_short_one(program):
    """L27: work grows with the bytes, not with their square. The ratio of CPU times is looked at, not the time."""
    server = program("lab_server", "head_timeout_ms=60000")
    trickled_cpu_per_byte(server, 800, 2)
    short = trickled_cpu_per_byte(server, 800, 16)
    long = trickled_cpu_per_byte(server, 14_000, 1)
    print(f"CPU per byte: {short:.0f} ns of an 800 byte head, {long:.0f} ns of a 14000 byte head")
    assert long < 6 * short


def test_a_connection_that_waits_in_the_middle_of_a_request_costs_no_cpu(program, way):
    """L27: nothing spins, whatever it waits for: the rest of a head, of a body, of a chunk line, or a slow reader."""
    server = program("lab_server", "head_timeout_ms=60000", "body_grace_ms=60000", "send_grace_ms=60000")
    waiting = [server.connect(receive_buffer=4096) for _ in range(5)]
    try:
        if way != "h2":
            waiting[0].send(b"GET / HTTP/1.1\r\nHo")
        waiting[1].send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
        waiting[2].send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe")
        waiting[3].send(galley.request_bytes("/stream/50000000"))
        waiting[4].send(galley.request_bytes("/hold"))
        lab.wait_for_held(server, 1)
        galley.time.sleep(0.3)
        before = lab.cpu_ns(server)
        galley.time.sleep(0.5)
        used = lab.cpu_ns(server) - before
        assert used < 0.05e9 * galley.SLOW, f"{used} ns of CPU time while nothing happened"
        server.get("/release")
        assert waiting[4].read_response().text == "held\n"
    finally:
        for client in waiting:
            client.reset()


@pytest.mark.parametrize("target", ["/", "/echo"])
def test_expect_100_continue_is_answered_when_the_body_is_wanted(program, target):
    """RFC 9110 §10.1.1: 100 before a body that is wanted; the final status alone where it is not."""
    server = program("lab_server")
    head = f"POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n".encode()
    with server.connect() as client:
        client.send(head)
        first = client.read_head()
        if target == "/":
            assert first.status == 405
            return
        assert first.status == 100
        client.send(b"body")
        assert client.read_response().body == b"body"


def test_ten_thousand_header_lines_a_hundred_times_cost_no_memory(program, way):
    """L1: the count of fields is limited, not only their bytes: 431, and no growth. RFC 9113 §10.5.1: with HTTP/2 it is
    as hostile as it looks when the header block is decoded, and the connection ends."""
    server = program("lab_server")
    raw = b"GET / HTTP/1.1\r\nHost: a\r\n" + 10_000 * b"a:\r\n" + b"\r\n"

    def ask():
        with server.connect() as client:
            lab.send_what_it_takes(client, raw)
            answers = lab.split_answers(lab.read_all(client)[0])
            return client.socket.goaway[1] if client.is_h2 else answers[0].status

    refusal = 11 if way == "h2" else 431  # ENHANCE_YOUR_CALM
    assert [ask() for _ in range(20)] == [refusal] * 20
    before = server.resident_bytes()
    assert [ask() for _ in range(100)] == [refusal] * 100
    assert lab.has_sanitizer(server) or server.resident_bytes() < before + (1 << 20)


def test_a_storm_of_signals_disturbs_no_answer(serve, folder, tmp_path):
    """EINTR and partial writes: USR1, STOP and CONT while files are sent."""
    content = bytes(range(256)) * 40_000
    server = serve(f"--access-log={tmp_path / 'log'}", root=folder({"big": content, "small": "small"}))
    stop = threading.Event()

    def storm():
        while not stop.is_set():
            for number in (signal.SIGUSR1, signal.SIGSTOP, signal.SIGCONT):
                server.signal(number)
            stop.wait(0.001)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        with server.connect(timeout=30) as client:
            for _ in range(10):
                client.send(galley.request_bytes("/big") + 20 * galley.request_bytes("/small"))
                assert client.read_response().body == content
                assert [client.read_response().body for _ in range(20)] == [b"small"] * 20
    finally:
        stop.set()
        thread.join()
        server.signal(signal.SIGCONT)
