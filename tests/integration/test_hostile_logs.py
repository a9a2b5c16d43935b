"""A log that cannot be written is no reason to stop serving: full disk, no reader, no room."""

import json
import os
import signal
import socket
import subprocess

import pytest

import galley
from ways import only


def test_a_full_device_as_access_log_does_not_disturb(serve, folder):
    """ENOSPC for each line: answers go on, the log complains at most once a second, exit 0."""
    server = serve("--access-log=/dev/full", root=folder({"index.html": "hi"}))
    with server.connect() as client:
        for _ in range(2000):
            assert client.get("/").body == b"hi"
    server.stop()
    assert len(server.stderr.splitlines()) < 50, server.stderr


def accepts(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def test_stdout_and_stderr_on_a_full_device_do_not_disturb(tmp_path, folder):
    """The program's own words are lost; it serves."""
    root = folder({"index.html": "hi"})
    path = tmp_path / "sock"
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen([galley.program_path(), f"--listen=unix:{path}", root], stdin=subprocess.DEVNULL,
                                   stdout=full, stderr=full)
    try:
        galley.wait_until(lambda: accepts(path), what="the socket")  # it is there before it listens
        with galley.Client(str(path)) as client:
            for _ in range(100):
                assert client.get("/").body == b"hi"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20 * galley.SLOW) == 0
    finally:
        process.kill()
        process.wait()


def small_disk(tmp_path):
    """A file system of 64 KiB, or None where mounting is not allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True)
    return disk if mounted.returncode == 0 else None


def wait_until_quiet(server):
    """The log's writer has tried all that it was given: the process uses no CPU any more."""
    used = [server.cpu_seconds()]
    while len(used) < 5 or used[-1] - used[-4] > 0:
        galley.time.sleep(0.1)
        used.append(server.cpu_seconds())


def test_a_log_goes_on_when_the_disk_has_room_again(serve, folder, tmp_path):
    """ENOSPC in the middle, then room: later requests are in the log, and no line is a half one."""
    disk = small_disk(tmp_path)
    if not disk:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * (48 << 10))
        log = disk / "log"
        server = serve(f"--access-log={log}", "--log-format=json", root=folder({"index.html": "hi"}))
        with server.connect() as client:
            for i in range(600):
                assert client.get(f"/?before={i:0>100}").status == 200
            galley.wait_until(lambda: os.statvfs(disk).f_bavail == 0, what="a full disk")
            wait_until_quiet(server)  # the lines that wait would fill the room again
            ballast.unlink()
            assert client.get("/?after").status == 200
            galley.wait_until(lambda: b"?after" in log.read_bytes(), 10, "the log goes on")
        server.stop()
        lines = log.read_bytes().splitlines()
        broken = []
        for line in lines:
            try:
                json.loads(line)
            except ValueError:
                broken.append(line)
        assert len(broken) <= 1, broken[:3]
        json.loads(lines[-1])
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@only("plain", because="ten thousand lines, which are written alike whatever brought the request")
def test_a_log_pipe_that_nobody_reads_delays_no_client(serve, folder, tmp_path):
    """The log's writer blocks alone; lines are dropped and counted, clients do not notice."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        server = serve(f"--access-log={fifo}", root=folder({"index.html": "hi"}))
        with server.connect() as client:
            for _ in range(20):
                client.send(500 * galley.request_bytes("/?" + "x" * 100))
                assert [client.read_response().status for _ in range(500)] == [200] * 500
    finally:
        os.close(reader)  # EPIPE for whoever waits in write
    server.stop()


def test_usr1_opens_the_log_again(serve, folder, tmp_path):
    """What logrotate does; also when the new file cannot be made at first."""
    log = tmp_path / "logs" / "access.log"
    log.parent.mkdir()
    server = serve(f"--access-log={log}", root=folder({"index.html": "hi"}))
    server.get("/?one")
    galley.wait_until(lambda: b"?one" in log.read_bytes())
    log.rename(tmp_path / "old.log")
    server.signal(signal.SIGUSR1)
    galley.wait_until(log.exists, what="a new log")
    server.get("/?two")
    galley.wait_until(lambda: b"?two" in log.read_bytes())
    assert b"?two" not in (tmp_path / "old.log").read_bytes()
    log.parent.rename(tmp_path / "away")  # the folder has gone: USR1 cannot succeed
    server.signal(signal.SIGUSR1)
    galley.time.sleep(0.1)
    assert server.get("/?three").status == 200
    galley.wait_until(lambda: b"?three" in (tmp_path / "away" / "access.log").read_bytes(), what="the old log goes on")
