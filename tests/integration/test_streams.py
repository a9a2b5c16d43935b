"""Answers that come later or bit by bit, over real sockets: server-sent events, slow readers, deferrals. None of them
holds one of the four workers."""

import json
import signal

import pytest

import galley
import lab

pytestmark = pytest.mark.core
MANY = 500
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def streams(program):
    lab.raise_fd_limit(4096)

    def start(*arguments, expect_exit=0):
        return program("stream_server", *arguments, expect_exit=expect_exit)

    return start


def stats(server):
    return json.loads(server.get("/stats").text)


def wait_for(server, **wanted):
    """Until the server's numbers are these."""
    seen = {}

    def are_there():
        seen.update(stats(server))
        return wanted.items() <= seen.items()

    try:
        galley.wait_until(are_there, 30, f"{wanted}")
    except AssertionError as error:
        raise AssertionError(f"{error}; at last {seen}") from None


def publish(server, text):
    """How many streams took it."""
    with server.connect() as client:
        client.send(b"POST /publish?data=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % text.encode())
        return int(client.read_response().text)


def finish_all(server):
    """Finishes all deferrals; how many of them nobody has waited for so far."""
    with server.connect() as client:
        client.send(b"POST /finish HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        return int(client.read_response().text)


def read_until(client, text):
    while text not in client.buffer:
        assert client._fill(), f"the connection ended before {text!r}: {bytes(client.buffer)!r}"


def crowd_hears(crowd, text, sockets):
    def all_have():
        crowd.listen()
        return all(text in crowd.heard[sock] for sock in sockets)

    galley.wait_until(all_have, what=f"{text!r} on {len(sockets)} connections")


@pytest.mark.parametrize("target", [b"/events", b"/events-pool"])
def test_events_come_as_they_are_published(streams, target):
    server = streams("heartbeat_ms=100")
    with server.connect() as client:
        client.send(GET % target)
        head = client.read_head()
        assert head.status == 200
        assert head.header("Content-Type") == "text/event-stream"
        assert head.header("Cache-Control") == "no-store"
        assert head.header("Transfer-Encoding") == "chunked"
        read_until(client, b"event: hello\nid: 0\ndata: ")
        wait_for(server, streams=1, running=0)
        assert publish(server, "tick") == 1
        read_until(client, b"data: tick\n\n")
        read_until(client, b"\r\n:\n\r\n")  # a heartbeat
    wait_for(server, streams=0, hub=0, closed=1)


@pytest.mark.alone
def test_500_event_clients_and_500_slow_readers_hold_no_worker(streams):
    server = streams()
    with lab.Crowd(server) as crowd:
        listeners = crowd.add(MANY)
        crowd.send_each(GET % b"/events-pool")
        crowd_hears(crowd, b"event: hello", listeners)
        for index, sock in enumerate(crowd.add(MANY, is_narrow=True)):
            sock.send(GET % (b"/endless", b"/endless-loop")[index % 2])  # nobody reads the answers
        wait_for(server, streams=2 * MANY, running=0, queued=0)
        for _ in range(20):
            assert server.get("/hello").text == "hello\n"  # which needs a worker
        assert publish(server, "all") == MANY
        crowd.sockets = listeners  # the others still do not read
        slow = [sock for sock in crowd.heard if sock not in set(listeners)]
        crowd_hears(crowd, b"data: all\n\n", listeners)
        wait_for(server, streams=2 * MANY, running=0)
        crowd.sockets = listeners + slow
    wait_for(server, streams=0, hub=0, closed=MANY)
    assert stats(server)["mistakes"] == 0


@pytest.mark.parametrize("target", [b"/later", b"/later-pool"])
def test_an_answer_from_another_thread(streams, target):
    server = streams()
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        client.send(GET % target)
    wait_for(server, waiting=3, deferred=3, running=0)
    assert finish_all(server) == 0
    texts = sorted(client.read_response().text for client in clients)
    assert texts == ["finished 0\n", "finished 1\n", "finished 2\n"]
    wait_for(server, deferred=0)
    clients[0].send(GET % b"/hello")  # the connection goes on
    assert clients[0].read_response().text == "hello\n"
    for client in clients:
        client.close()


def test_a_deferral_whose_client_left(streams):
    server = streams()
    stays, leaves = server.connect(), server.connect()
    for client in (stays, leaves):
        client.send(GET % b"/later")
    wait_for(server, waiting=2)
    leaves.reset()
    wait_for(server, waiting=2, unwanted=1)
    assert finish_all(server) == 1
    assert stays.read_response().status == 200
    stays.close()
    wait_for(server, deferred=0, waiting=0)


@pytest.mark.alone
def test_a_drain_ends_500_open_streams(streams):
    """At once, and the clients see a whole answer; the program would wait 30 s for a request."""
    server = streams("drain_ms=600000")
    with lab.Crowd(server) as crowd:
        sockets = crowd.add(MANY)
        crowd.send_each(GET % b"/events")
        crowd_hears(crowd, b"event: hello", sockets)
        server.signal(signal.SIGTERM)

        def all_ended():
            crowd.listen()
            return len(crowd.ended) == MANY

        galley.wait_until(all_ended, what="the end of all streams")
        assert all(crowd.heard[sock].endswith(b"\r\n0\r\n\r\n") for sock in sockets)
        assert server.wait() == 0


def test_a_deferral_that_is_never_finished_does_not_hold_a_stop(streams):
    server = streams("drain_ms=300", expect_exit=3)
    with server.connect() as client:
        client.send(GET % b"/later")
        wait_for(server, waiting=1)
        server.signal(signal.SIGTERM)
        assert server.wait() == 3
