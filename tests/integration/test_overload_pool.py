"""A pool route that can do so much a second and no more: who is let in is served in time, who is not is told at once.
What is asserted is what the server counted and how long its pool let jobs wait; the times that clients saw are
printed, and judged only with GALLEY_TEST_FULL=1 on a machine that has nothing else to do."""

import json
import subprocess

import pytest

import galley
import lab
from ways import only

pytestmark = pytest.mark.alone
WORKERS, JOB_MS = 4, 10
TARGET_MS = 20 if lab.FULL else 100  # a busy machine holds up jobs that wait for nobody
CAPACITY = WORKERS * 1000 // JOB_MS  # requests a second


@pytest.fixture
def overloaded(program):
    """overloaded(target_ms, drain_ms) -> a server; -1: no target."""
    return lambda target_ms=TARGET_MS, *more, **how: program("overloaded", *map(str, (target_ms, *more)), **how)


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def counters(server):
    with server.connect() as client:
        client.send(get("/counters"))
        lines = client.read_response().body.decode().splitlines()
    return {name: int(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@pytest.fixture
def load(tmp_path):
    """load(server, path, rate, seconds), an open loop -> {status: (count, p50_ms, p99_ms)}; nothing may be lost."""
    def run(server, path, rate, seconds):
        requests = tmp_path / "requests"
        requests.write_bytes(f"0 -1 {len(get(path))}\n".encode() + get(path))
        argv = [galley.built("bench", "bench_client"), "open", str(server.port), requests, "--rate", str(rate),
                "--seconds", str(seconds), "--warm-up", "0", "--connections", "4096"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 30)
        assert done.returncode == 0, done.stderr
        print(f"{rate}/s for {seconds} s on {path}:\n{done.stdout}")
        found = json.loads(done.stdout)
        assert found["requests"] == found["sent"]
        every = {200: ("served", "p50_us", "p99_us"), 503: ("refused", "refused_p50_us", "refused_p99_us")}
        return {status: (found[count], *(found[time] / 1000 for time in times))
                for status, (count, *times) in every.items() if found[count]}
    return run


def difference(before, after):
    return {name: after[name] - before[name] for name in after}


# ---- 2x overload -----------------------------------------------------------------------------------------------


@only("plain", because="the load client has no TLS, and the pool is the same")
def test_a_load_that_fits_is_not_shed(overloaded, load):
    server = overloaded()
    seen = load(server, "/work", CAPACITY // 4, 2)
    assert list(seen) == [200]
    counted = counters(server)
    assert (counted["shed_full"], counted["shed_late"]) == (0, 0)


@only("plain", because="the load client has no TLS, and the pool is the same")
def test_twice_what_the_pool_can_do(overloaded, load):
    server = overloaded()
    unloaded = load(server, "/work", CAPACITY // 4, 4 if lab.FULL else 1)
    load(server, "/work", 2 * CAPACITY, 1)  # until it is seen
    before = counters(server)
    seen = load(server, "/work", 2 * CAPACITY, 20 if lab.FULL else 3)
    counted = difference(before, counters(server))
    assert set(seen) == {200, 503}
    # The workers are kept at work, and those whom they come to have not waited long.
    assert counted["shed_full"] > seen[200][0] // 4
    assert counted["shed_full"] + counted["shed_late"] == seen[503][0]
    assert counted["shed_late"] < seen[503][0] // 4, "who is refused is refused when he comes"
    assert counted["pool_wait_us"] / counted["pool_finished"] < 2 * TARGET_MS * 1000 * galley.SLOW
    ratio = seen[200][2] / unloaded[200][2]
    print(f"p99 of who was served: {ratio:.2f} x unloaded; p50 and p99 of a 503: {seen[503][1:3]} ms")
    if lab.FULL:
        assert ratio <= 2
        assert seen[503][1] < 5


@only("plain", because="the load client has no TLS, and the pool is the same")
def test_without_a_target_the_queue_fills(overloaded, load):
    server = overloaded(-1)
    seen = load(server, "/work", 2 * CAPACITY, 1)
    assert list(seen) == [200]
    counted = counters(server)
    assert (counted["shed_full"], counted["shed_late"]) == (0, 0)
    assert counted["pool_queue_peak"] > CAPACITY // 8


def test_a_refusal_says_when_to_come_again_and_keeps_the_connection(overloaded):
    server = overloaded()
    clients = [server.connect() for _ in range(4)]
    for client in clients:
        client.send(get("/few"))
    responses = [client.read_response() for client in clients]
    assert sorted(response.status for response in responses) == [200, 200, 200, 503]
    refused = [response.status for response in responses].index(503)
    assert responses[refused].header("Retry-After") == "1"
    clients[refused].send(get("/hello"))
    assert clients[refused].read_response().status == 200
    for client in clients:
        client.close()
    assert counters(server)["shed_full"] == 1


def test_a_burst_that_the_pool_gets_rid_of_is_not_shed(overloaded):
    server = overloaded()
    clients = [server.connect() for _ in range(60)]  # all there before a slow machine calls it an overload
    for client in clients:
        client.send(get("/work"))  # 150 ms of work
    assert {client.read_response().status for client in clients} == {200}
    for client in clients:
        client.close()
    counted = counters(server)
    assert (counted["shed_full"], counted["shed_late"]) == (0, 0)


# ---- time limits, stalls, the end ------------------------------------------------------------------------------


def test_a_handler_that_takes_longer_than_its_route_allows_is_answered_for(overloaded):
    server = overloaded()
    with server.connect() as client:
        client.send(get("/slow"))
        assert client.read_response().status == 503
    assert counters(server)["exchange_timeouts"] == 1
    with server.connect() as client:  # its worker was told, and is there for others
        client.send(get("/work") * 8)
        assert [client.read_response().status for _ in range(8)] == [200] * 8
    assert "/slow was not out after the 300 ms" in server.stderr


def test_a_body_that_takes_longer_than_its_route_allows_is_refused(overloaded):
    server = overloaded()
    with server.connect() as client:
        client.send(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        response = client.read_response()
        assert response.status == 503
        client.send(b"defghij")  # too late, and read by nobody
        client.expect_end_after(response)
    assert counters(server)["exchange_timeouts"] == 1


def test_a_handler_that_holds_its_loop_is_told_of_while_it_does(overloaded):
    server = overloaded()
    with server.connect() as client:
        client.send(get("/hold"))
        server.wait_output("handler of /hold is holding the event loop, for ")
        assert client.read_response().status == 200
    assert "handler of /hold held the event loop for " in server.stderr
    assert counters(server)["stalls"] == 1


def wait_for_a_line(server, clients):
    """Each asks for /few: one is handled, the rest wait at its gate."""
    for client in clients:
        client.send(get("/few"))
    galley.wait_until(lambda: counters(server)["requests"] >= len(clients), what="all heads are there")


def test_who_waits_at_a_gate_is_served_while_the_server_drains(overloaded):
    server = overloaded()
    clients = [server.connect() for _ in range(3)]
    wait_for_a_line(server, clients)
    server.stop()
    assert [client.read_response().status for client in clients] == [200] * 3
    for client in clients:
        client.close()


def test_a_handler_stuck_for_ever_does_not_stop_the_end_and_is_named(overloaded):
    server = overloaded(0, 200, expect_exit=None)
    clients = [server.connect() for _ in range(2)]
    for client in clients:
        client.send(get("/stuck"))
    with server.connect() as client:
        client.send(get("/hello"))  # behind them
        assert client.read_response().status == 200
    server.stop(3)
    for client in clients:
        client.close()
    log = server.stderr
    assert "2 handlers are left behind, which did not return: /stuck (2)" in log
    assert "end: drain deadline passed: 2 requests were cut, 2 handlers are left behind (/stuck (2))" in log
