"""Ten thousand clients: row 7 of the exercise."""

import pytest

import galley
import lab
from ways import only

pytestmark = [pytest.mark.alone, only("plain", because="ten thousand handshakes take too long here")]
COUNT = 10_000
GET = galley.request_bytes("/")


def greet(sockets):
    """One request on each connection, answered, so that it is kept alive and idle."""
    for sock in sockets:
        sock.send(GET)
    for sock in sockets:
        data = b""
        while b"\r\n\r\nok\n" not in data:
            part = sock.recv(4096)
            assert part, "closed"
            data += part


def test_ten_thousand_idle_connections_beside_a_working_client(program):
    """They cost no thread, no CPU and little memory; the client beside them is served; each is still alive after."""
    if not lab.raise_fd_limit(COUNT + 500):
        pytest.skip(f"this process may not open {COUNT + 500} descriptors")
    server = program("lab_server", f"max_connections={COUNT + 100}", "idle_timeout_ms=600000", "head_timeout_ms=600000",
                     "workers=2")
    server.get("/")
    memory, threads = server.resident_bytes(), server.threads()
    with lab.Crowd(server) as crowd:
        while len(crowd.sockets) < COUNT:
            greet(crowd.add(500))
        each = (server.resident_bytes() - memory) / COUNT
        print(f"{COUNT} idle connections: {each:.0f} bytes of resident memory each")
        assert server.threads() == threads
        assert lab.has_sanitizer(server) or each < 4096
        galley.time.sleep(0.3)
        before = lab.cpu_ns(server)
        galley.time.sleep(1)
        assert lab.cpu_ns(server) - before < 0.05e9 * galley.SLOW, "idle connections cost no CPU"
        with server.connect() as client:
            for _ in range(2000):
                assert client.get("/").status == 200
            assert client.get("/on-pool").status == 200
        greet(crowd.sockets[::10])
    galley.wait_until(lambda: server.open_fds() < 100, 20, "all descriptors are back")
    assert server.get("/").status == 200


def test_a_thousand_connections_that_come_and_go_leave_nothing(program):
    """Connect and reset, connect and close, connect and ask: memory and descriptors come back."""
    server = program("lab_server")
    server.get("/")

    def storm():
        for i in range(1000):
            client = server.connect()
            if i % 3 == 0:
                client.send(GET[: i % len(GET)])
            elif i % 3 == 1:
                assert client.get("/").status == 200
            client.reset() if i % 2 else client.close()

    storm()
    fds, memory = server.open_fds(), server.resident_bytes()
    storm()
    galley.wait_until(lambda: server.open_fds() <= max(fds, 30), what="descriptors back")
    assert lab.has_sanitizer(server) or server.resident_bytes() < memory + (1 << 20)


@pytest.mark.skipif(not lab.FULL, reason="the long form: GALLEY_TEST_FULL=1")
def test_ten_thousand_busy_connections_take_turns(program):
    """All at once, several times: nobody starves."""
    if not lab.raise_fd_limit(COUNT + 500):
        pytest.skip(f"this process may not open {COUNT + 500} descriptors")
    server = program("lab_server", f"max_connections={COUNT + 100}")
    with lab.Crowd(server) as crowd:
        crowd.add(COUNT)
        for _ in range(5):
            greet(crowd.sockets)
