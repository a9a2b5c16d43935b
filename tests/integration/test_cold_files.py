"""Files that are not in memory, and many slow readers: neither holds up a loop, nor takes memory by their number.

The disk is a library that is preloaded into the server (cold_disk.c): it answers when the test says so. So the order
of events is what is judged, and no clock."""

import random
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

import galley
import lab
from ways import only

BIG = random.Random(1).randbytes(50_000_000)
READERS = 1000 if lab.FULL else 100


class Disk:
    """Holds every read of a large file until it is let go."""

    def __init__(self, library, gate):
        self.gate, self.reached = gate, Path(f"{gate}.reached")
        self.env = {"LD_PRELOAD": str(library), "COLD_DISK_GATE": str(gate)}

    def wait_reached(self):
        galley.wait_until(self.reached.exists, 10, "a read from the disk")

    def answer(self):
        self.gate.touch()


@pytest.fixture(scope="module")
def cold_disk(tmp_path_factory):
    if not shutil.which("cc") or b"libasan" in galley.program_path().read_bytes():
        pytest.skip("needs cc, and a program without AddressSanitizer, which wants to be loaded first")
    library = tmp_path_factory.mktemp("disk") / "cold_disk.so"
    source = Path(__file__).with_name("cold_disk.c")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture
def disk(cold_disk, tmp_path):
    return Disk(cold_disk, tmp_path / "gate")


@pytest.fixture
def root(folder):
    return folder({"index.html": "small", "big": BIG})


def test_others_are_served_while_the_disk_does_not_answer(serve, disk, root):
    """A cold file of 50 MB and not one byte of it there: a hundred pages are answered on the same loop, and the file's
    head has come."""
    server = serve("--loops=1", root=root, env=disk.env)
    with server.connect(timeout=30) as big, server.connect() as small:
        big.send(galley.request_bytes("/big"))
        disk.wait_reached()
        for _ in range(100):
            assert small.get("/").text == "small"
        head = big.read_head()
        assert head.status == 200
        big.expect_open()
        disk.answer()
        assert big.read_body(head).body == BIG


@pytest.mark.parametrize("target", ["/file", "/fd"])
def test_a_handlers_own_files_hold_up_nobody_either(program, disk, root, target):
    """galley_res_file() and galley_res_fd() on the one loop that answers /small."""
    server = program("file_replies", root / "big", env=disk.env)
    with server.connect(timeout=30) as big, server.connect() as small:
        big.send(galley.request_bytes(target))
        disk.wait_reached()
        for _ in range(100):
            assert small.get("/small").text == "small"
        disk.answer()
        assert big.read_response().body == BIG


def test_ranges_and_pipelined_requests_of_a_cold_file_are_right(serve, disk, root):
    server = serve("--loops=1", root=root, env=disk.env)
    with server.connect(timeout=30) as client:
        parts = [(0, 0), (524_287, 524_288), (3, 1_500_002), (49_999_999, 49_999_999)]
        for first, last in parts:
            client.send(galley.request_bytes("/big", {"Range": f"bytes={first}-{last}"}) + galley.request_bytes("/"))
        disk.wait_reached()
        disk.answer()
        for first, last in parts:
            answer = client.read_response()
            assert answer.status == 206 and answer.body == BIG[first : last + 1]
            assert client.read_response().text == "small"


def test_clients_that_go_while_the_disk_reads_leave_nothing(serve, disk, root):
    server = serve("--loops=1", root=root, env=disk.env)
    server.get("/")
    before = server.open_fds()
    clients = [server.connect() for _ in range(20)]
    for client in clients:
        client.send(galley.request_bytes("/big"))
    disk.wait_reached()
    for client in clients:
        client.reset()
    assert server.get("/").text == "small"
    disk.answer()
    galley.wait_until(lambda: server.open_fds() <= before + 1, what="all closed but the cached file")
    assert server.get("/big").body == BIG


def test_a_file_cut_while_it_is_read_ends_in_a_reset(serve, disk, root):
    """The length is promised: only a reset tells the client that the rest does not come."""
    server = serve("--loops=1", root=root, env=disk.env)
    with server.connect(timeout=30) as client:
        client.send(galley.request_bytes("/big"))
        disk.wait_reached()
        with open(root / "big", "r+b") as file:
            file.truncate(9_000_000)
        disk.answer()
        data, was_reset = lab.read_all(client)
        assert was_reset
        body = data.split(b"\r\n\r\n", 1)[1]
        assert BIG.startswith(body) and len(body) <= 9_000_000


def test_a_stop_does_not_wait_for_the_disk_for_ever(serve, disk, root):
    server = serve("--loops=2", root=root, env=disk.env, expect_exit=None)
    with server.connect() as client:
        client.send(galley.request_bytes("/big"))
        disk.wait_reached()
        server.signal(signal.SIGTERM)
        server.wait_output("stopping: what runs is finished first")
        server.signal(signal.SIGTERM)
        server.wait(20)


def slow_reader(server):
    """A client that asks for the file, and takes only a little of it."""
    client = server.connect(timeout=30, receive_buffer=4096)
    client.send(galley.request_bytes("/giant"))
    return client.socket


def take(sock, count):
    got = 0
    while got < count:
        part = sock.recv(count - got)
        assert part
        got += len(part)


def test_slow_readers_of_a_gigabyte_take_no_memory_by_what_they_read(serve, folder, way):
    """100 of them, 1000 with GALLEY_TEST_FULL=1: what a connection needs, one descriptor of the file for all."""
    assert lab.raise_fd_limit(2 * READERS + 200)
    root = folder({"index.html": "small"})
    with open(root / "giant", "wb") as file:
        file.truncate(1 << 30)
    server = serve("--loops=1", root=root)
    server.get("/")
    before, fds = server.resident_bytes(), server.open_fds()
    readers = [slow_reader(server) for _ in range(READERS)]
    try:
        most = 0
        for _ in range(3):
            for reader in readers:
                take(reader, 50_000)
            assert server.get("/").text == "small"
            most = max(most, server.resident_bytes() - before)
            assert server.open_fds() <= fds + READERS + 8
    finally:
        for reader in readers:
            lab.close_by_reset(reader)
    print(f"{READERS} slow readers of 1 GiB: {most >> 10} KiB more")
    # What waits for the client in the program: TLS has the connection's keys and some kilobytes of ciphertext, HTTP/2
    # also frames.
    each = {"http": 8, "tls": 32, "h2": 64}[way] << 10
    assert lab.has_sanitizer(server) or most < (2 << 20) + READERS * each
    assert server.get("/").text == "small"
