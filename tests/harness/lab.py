"""What the tests of hostile and heavy behaviour share: the answers in a stream of bytes, CPU time, counters, crowds.

Environment: GALLEY_TEST_FULL=1 runs the long forms (a million requests, ten thousand connections, real deadlines).
"""

import os
import resource
import selectors
import socket
import struct
from pathlib import Path

import galley

FULL = os.environ.get("GALLEY_TEST_FULL", "") not in ("", "0")


def has_sanitizer(server):
    """Is the program built with a sanitizer? Its own memory then says nothing about galley's."""
    maps = Path(f"/proc/{server.pid}/maps").read_text()
    return "libasan" in maps or "libtsan" in maps or b"__sanitizer_" in Path(server.argv[0]).read_bytes()


# ---- answers ---------------------------------------------------------------------------------------------------


class _Recorded(galley.Client):
    """The strict reader over bytes that came already."""

    def __init__(self, data):  # no socket: what is here is all there will ever be
        self.buffer = bytearray(data)

    def _fill(self):
        return False


def split_answers(data, methods=()):
    """Every answer in a connection's bytes, in order; methods[i] is what the i-th one answers (default GET).
    Fails for bytes that are not answers."""
    reader, answers = _Recorded(data), []
    while reader.buffer:
        method = methods[len(answers)] if len(answers) < len(methods) else "GET"
        answers.append(reader.read_response(method))
    return answers


def read_all(client):
    """(bytes, was_reset): everything up to the end of the connection, however it ends."""
    try:
        while client._fill():
            pass
        was_reset = False
    except ConnectionResetError:
        was_reset = True
    data = bytes(client.buffer)
    client.buffer.clear()
    return data, was_reset


def send_what_it_takes(client, data):
    """Sends; a server that has hung up already is no error: what it said before can still be read."""
    try:
        client.send(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


# ---- what a server uses ----------------------------------------------------------------------------------------


def cpu_ns(server):
    """CPU time of all its threads, in nanoseconds (the tick of /proc/PID/stat is too coarse to compare)."""
    total = 0
    for task in os.listdir(f"/proc/{server.pid}/task"):
        try:
            total += int(Path(f"/proc/{server.pid}/task/{task}/schedstat").read_text().split()[0])
        except FileNotFoundError:  # a thread that ended meanwhile
            pass
    return total


def counters(server):
    """The counters of a lab_server, those that are not zero."""
    lines = server.get("/counters").text.splitlines()
    return {name: int(number) for name, number in (line.split() for line in lines)}


def wait_for_held(server, count):
    """Until so many handlers of a lab_server are inside /hold."""
    galley.wait_until(lambda: int(server.get("/held").text) == count, what=f"{count} handlers in /hold")


def wait_for_requests(server, before, count):
    """Until `count` requests have come since `before` = counters(server), not counting those that ask for it."""
    asked = 0

    def has_come():
        nonlocal asked
        asked += 1
        return counters(server)["requests"] >= before["requests"] + count + asked

    galley.wait_until(has_come, what=f"{count} requests")


# ---- crowds ----------------------------------------------------------------------------------------------------


def raise_fd_limit(wanted):
    """Lets this process, and the servers it starts, open `wanted` descriptors. False where that is not allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return True
    for limits in ((wanted, hard), (wanted, wanted)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            return True
        except (ValueError, OSError):
            continue
    return False


class Crowd:
    """Many connections that say little. Sources 127.0.0.2 and on, so that ports never run out; closed by RST, so that
    none stays behind in TIME_WAIT."""

    PER_SOURCE = 5000

    def __init__(self, server):
        self.server, self.sockets = server, []
        self.heard = {}  # socket -> what the server said
        self.ended = set()  # sockets that the server has closed

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for sock in self.sockets:
            close_by_reset(sock)

    def add(self, count, is_narrow=False):
        """is_narrow: see galley.make_narrow()."""
        for _ in range(count):
            sock = self._connected(is_narrow)
            self.sockets.append(sock)
            self.heard[sock] = bytearray()
        return self.sockets[-count:]

    def _connected(self, is_narrow):
        sock = socket.socket()
        if is_narrow:
            galley.make_narrow(sock, 8192)
        try:
            sock.settimeout(20 * galley.SLOW)
            sock.bind((f"127.0.0.{2 + len(self.sockets) // self.PER_SOURCE}", 0))
            sock.connect((self.server.host, self.server.port))
            return self.server.dressed(sock)
        except BaseException:
            sock.close()
            raise

    def listen(self):
        """Takes in what has come on all connections, without waiting."""
        with selectors.PollSelector() as selector:
            for sock in self.sockets:
                if sock not in self.ended:
                    selector.register(sock, selectors.EVENT_READ)
            for key, _ in selector.select(0) if selector.get_map() else []:
                self._read(key.fileobj)

    def _read(self, sock):
        sock.setblocking(False)
        try:
            while True:
                part = sock.recv(65536)
                if not part:
                    break
                self.heard[sock] += part
        except BlockingIOError:
            return
        except ConnectionResetError:
            pass
        self.ended.add(sock)

    def send_each(self, data):
        """The same bytes on every connection that is still open."""
        for sock in self.sockets:
            if sock not in self.ended:
                try:
                    sock.send(data)
                except (BrokenPipeError, ConnectionResetError):
                    self.ended.add(sock)


def close_by_reset(sock):
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    finally:
        sock.close()


def about(*options):
    """Marks a test as the one of these options of the program; test_daemon_options.py reads the marks."""
    return lambda function: function
