"""What ten thousand connections that wait cost of user memory, by the kind of waiting.

Each figure is the growth from the 5,000th to the 10,000th connection: what loops keep for the next request is there before.
"""

import pytest

import galley
import installed
import lab
from ways import only

pytestmark = [pytest.mark.alone, only("plain", because="the bytes are those of HTTP/1 connections in clear")]
COUNT = 10_000
GET = galley.request_bytes("/")
EVENTS = galley.request_bytes("/events")
SOCKET = galley.request_bytes("/socket", headers={"Upgrade": "websocket", "Connection": "Upgrade",
                                                  "Sec-WebSocket-Version": "13",
                                                  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})


def add(crowd, count, request, end):
    """So many connections more, each with its answer up to `end`."""
    for _ in range(count // 500):
        sockets = crowd.add(500)
        for sock in sockets:
            sock.send(request)
        for sock in sockets:
            data = b""
            while not data.endswith(end):
                part = sock.recv(4096)
                assert part, data
                data += part


def bytes_each(program, request, end):
    if not lab.raise_fd_limit(COUNT + 500):
        pytest.skip(f"this process may not open {COUNT + 500} descriptors")
    if installed.sanitizers():
        pytest.skip("a sanitizer's own memory says nothing")
    server = program("lab_server", f"max_connections={COUNT + 100}", "idle_timeout_ms=600000", "head_timeout_ms=600000",
                     "workers=2")
    with lab.Crowd(server) as crowd:
        add(crowd, COUNT // 2, request, end)
        before = server.resident_bytes()
        add(crowd, COUNT // 2, request, end)
        each = (server.resident_bytes() - before) / (COUNT // 2)
        assert server.get("/").status == 200
    print(f"{each:.0f} bytes each")
    galley.wait_until(lambda: server.open_fds() < 100, 20, "all descriptors are back")
    return each


def test_an_idle_connection_costs_no_more_than_400_bytes(program):
    each = bytes_each(program, GET, b"\r\n\r\nok\n")
    assert 100 < each <= 400


def test_a_silent_stream_of_events_costs_no_more_than_its_objects(program):
    """The connection, its session, the exchange, the stream: what it was made from is given back."""
    assert bytes_each(program, EVENTS, b"data: hello\n\n\r\n") <= STREAM_BYTES


def test_a_silent_websocket_costs_no_more_than_its_objects(program):
    assert bytes_each(program, SOCKET, b"\x81\x05hello") <= SOCKET_BYTES


STREAM_BYTES = 4500  # 352 connection, 208 session, 1168 exchange, 2064 its arena, 320 stream
SOCKET_BYTES = 14000  # the same, and 9300 of the library that knows the frames
