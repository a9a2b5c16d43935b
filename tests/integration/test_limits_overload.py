"""More than the server has room for: the queue of the pool, connections, descriptors. It refuses, it waits, it comes
back; it never spins."""

import pytest

import galley
import lab
from ways import only


def hold(server, count):
    """So many clients whose handlers wait until /release."""
    clients = [server.connect(timeout=30) for _ in range(count)]
    for client in clients:
        client.send(galley.request_bytes("/hold"))
    return clients


def test_four_sleepers_leave_the_loop_free(program):
    """Row 5 of the exercise: with all four workers asleep, `/` is answered; a fifth waits its turn."""
    server = program("lab_server", "workers=4", "queue_timeout_ms=60000")
    sleepers = hold(server, 4)
    lab.wait_for_held(server, 4)
    with server.connect() as client, server.connect() as fifth:
        fifth.send(galley.request_bytes("/on-pool"))
        for _ in range(100):
            assert client.get("/").status == 200
        fifth.expect_open()
        assert client.get("/release").status == 200
        assert fifth.read_response().status == 200
    for client in sleepers:
        assert client.read_response().text == "held\n"
        client.close()


def test_a_full_queue_answers_503_with_retry_after(program):
    """Two workers, two places in the queue; everybody beyond is told at once, and nothing is lost."""
    server = program("lab_server", "workers=2", "queue=2", "queue_timeout_ms=60000")
    holders = hold(server, 2)
    lab.wait_for_held(server, 2)
    waiting = hold(server, 2)
    galley.wait_until(lambda: server.get("/on-pool").status == 503, what="a full queue")
    for _ in range(50):
        answer = server.get("/on-pool")
        assert answer.status == 503 and int(answer.header("Retry-After")) > 0
        assert server.get("/").status == 200, "the loop is not concerned"
    body = server.get("/echo", method="POST", body=b"x" * 1000)
    assert body.status == 503
    server.get("/release")
    assert [client.read_response().status for client in holders] == [200, 200]
    lab.wait_for_held(server, 2)
    server.get("/release")
    assert [client.read_response().status for client in waiting] == [200, 200]
    assert server.get("/on-pool").status == 200
    for client in holders + waiting:
        client.close()


def test_503_for_an_upload_comes_before_its_body(program):
    """http.md: refused before the body is read; with Expect there is no 100 Continue."""
    server = program("lab_server", "workers=1", "queue=1", "queue_timeout_ms=60000")
    holders = hold(server, 1)
    lab.wait_for_held(server, 1)
    holders += hold(server, 1)
    galley.wait_until(lambda: server.get("/on-pool").status == 503, what="a full queue")
    with server.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\nExpect: 100-continue\r\n\r\n")
        assert client.read_head().status == 503
    for client in holders:  # the next one is held when this one has been answered, not before
        lab.wait_for_held(server, 1)
        server.get("/release")
        assert client.read_response().status == 200


def test_who_waits_too_long_in_the_queue_gets_503(program):
    """queue_timeout: a job that never started is dropped with an answer."""
    server = program("lab_server", "workers=1", f"queue_timeout_ms={int(300 * galley.SLOW)}")
    holder = hold(server, 1)[0]
    lab.wait_for_held(server, 1)
    with server.connect(timeout=30) as client:
        client.send(galley.request_bytes("/on-pool"))
        galley.time.sleep(0.6 * galley.SLOW)
        server.get("/release")
        answer = client.read_response()
        assert answer.status == 503 and answer.header("Retry-After")
    assert holder.read_response().status == 200


def test_at_the_connection_limit_the_oldest_idle_one_makes_room(program):
    """http.md, limits: accept pauses; idle connections are closed first, oldest first."""
    server = program("lab_server", "max_connections=10")
    clients = [server.connect() for _ in range(10)]
    for client in clients:
        assert client.get("/").status == 200
    newcomer = server.connect()
    assert newcomer.get("/").status == 200
    clients[0].expect_closed()
    assert clients[-1].get("/").status == 200
    for client in clients + [newcomer]:
        client.close()


@only("plain", because="who is not accepted cannot shake hands, and half a head")
def test_at_the_connection_limit_with_all_busy_a_newcomer_waits(program):
    """Accept pauses and goes on when somebody leaves."""
    server = program("lab_server", "max_connections=4", "workers=4", "head_timeout_ms=60000")
    busy = hold(server, 3)
    galley.time.sleep(0.1)
    control = server.connect()
    assert int(control.get("/held").text) in (1, 2, 3)
    galley.wait_until(lambda: control.get("/held").text == "3\n")
    control.send(b"GET /release HTTP/1.1\r\n")  # in the middle of a head: not idle
    galley.time.sleep(0.2)
    newcomer = server.connect()
    newcomer.send(galley.request_bytes("/"))
    before = lab.cpu_ns(server)
    newcomer.expect_open(for_s=0.5)
    assert lab.cpu_ns(server) - before < 0.1e9 * galley.SLOW, "it waits, it does not spin"
    control.send(b"Host: a\r\n\r\n")
    assert control.read_response().text == "released\n"
    assert newcomer.read_response().status == 200
    for client in busy:
        assert client.read_response().text == "held\n"
    for client in [*busy, control, newcomer]:
        client.close()


@pytest.fixture
def few_descriptors():
    """What to put before a command, so that it may open 64 descriptors."""
    path = galley.Path("/usr/bin/prlimit")
    if not path.exists():
        pytest.skip("prlimit is not installed")
    return [path, "--nofile=64:64"]


def test_out_of_descriptors_it_refuses_or_waits_and_never_spins(launch, few_descriptors):
    """EMFILE: the connections beyond get 503 or wait; CPU stays quiet; afterwards all is as before."""
    argv = [*few_descriptors, galley.built("programs", "lab_server"), "max_connections=1000",
            "head_timeout_ms=60000"]
    server = launch(argv)
    first = server.connect()
    assert first.get("/").status == 200
    with lab.Crowd(server) as crowd:
        crowd.add(150)
        crowd.send_each(b"GET / HTTP/1.1\r\n")
        galley.time.sleep(0.5)
        before = lab.cpu_ns(server)
        galley.time.sleep(1)
        used = lab.cpu_ns(server) - before
        assert used < 0.2e9 * galley.SLOW, f"{used} ns of CPU time in a second: it spins"
        assert first.get("/").status == 200, "who is in is served"
        crowd.listen()
        for sock in crowd.ended:
            data = bytes(crowd.heard[sock])
            assert data == b"" or lab.split_answers(data)[0].status == 503
    galley.wait_until(lambda: first.get("/").status == 200 and server.open_fds() < 40, what="descriptors back")
    for _ in range(20):
        assert server.get("/").status == 200
    first.close()


def test_files_out_of_descriptors_are_503_and_come_back(launch, few_descriptors, folder):
    """EMFILE while files are opened: an answer, not a crash; nothing of it is remembered."""
    root = folder({f"big{i}": b"b" * (2 << 20) for i in range(100)} | {"small": "s"})
    argv = [*few_descriptors, galley.built("programs", "lab_server"), f"root={root}", "max_connections=1000"]
    server = launch(argv)
    clients = [server.connect(receive_buffer=4096) for _ in range(45)]
    for i, client in enumerate(clients):
        lab.send_what_it_takes(client, galley.request_bytes(f"/files/big{i}"))
    for client in clients:
        try:
            status = client.read_head().status
        except (galley.ProtocolError, ConnectionResetError, TimeoutError):
            continue
        assert status in (200, 503, 500)
    for client in clients:
        client.reset()
    galley.wait_until(lambda: server.get("/files/big99").status == 200, what="files again")
    for i in range(100):
        assert server.get(f"/files/big{i}").status == 200


@only("http1", because="Connection: close and pipelining")
def test_max_requests_of_a_connection(program):
    """The last answer says so, and what was pipelined behind it is not answered."""
    server = program("lab_server", "max_requests_per_connection=3")
    with server.connect() as client:
        client.send(5 * galley.request_bytes("/"))
        answers = lab.split_answers(lab.read_all(client)[0])
    assert [answer.header("Connection") for answer in answers] == [None, None, "close"]
