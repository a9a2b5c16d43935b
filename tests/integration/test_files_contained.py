"""Nothing outside the root gets out, and nothing strange in it blocks. L10, L11."""

import os
import re
import socket
import subprocess
import threading

import pytest

import galley
import lab
from ways import only

SECRET = "SECRET-OUTSIDE-THE-ROOT"


@pytest.fixture
def outside(folder):
    return folder({"a.txt": SECRET, "b/c.txt": SECRET, "index.html": SECRET, "c.txt": SECRET, "b/index.html": SECRET})


def test_links_inside_work_and_links_out_do_not(serve, folder, outside):
    """L10: relative and absolute links, to files, to directories, through several steps."""
    root = folder({"dir/a.txt": "inside", "dir/index.html": "index"})
    links = {"in": "dir/a.txt", "in-dir": "dir", "in-up": "dir/../dir/a.txt", "two": "in", "out": f"{outside}/a.txt",
             "out-dir": str(outside), "out-up": f"../{outside.name}/a.txt", "out-two": "out-dir/a.txt", "loop": "loop",
             "nowhere": "missing", "proc": "/proc/self/root", "self": f"{root}/dir/a.txt"}
    for name, target in links.items():
        os.symlink(target, root / name)
    server = serve("--list", root=root)
    for target in ("/in", "/in-up", "/two", "/in-dir/a.txt"):
        assert server.get(target).body == b"inside", target
    bad = ["/out", "/out-dir/", "/out-dir/a.txt", "/out-dir/b/c.txt", "/out-up", "/out-two", "/loop", "/nowhere",
           f"/proc{outside}/a.txt", "/proc/etc/passwd", "/out-dir"]
    for target in bad:
        answer = server.get(target)
        assert answer.status in (403, 404), target
        assert SECRET.encode() not in answer.body
    assert SECRET.encode() not in server.get("/self").body


def prepare_race(folder, outside):
    """`swap` is a directory inside, `evil` and `evil2` lead out; the load client exchanges their names."""
    root = folder({"swap/a.txt": "inside", "swap/b/c.txt": "inside", "swap/index.html": "inside"})
    os.symlink(outside, root / "evil")
    os.symlink(outside / "b", root / "evil2")
    os.symlink("swap/a.txt", root / "link")
    return root


@only("plain", because="the load client has no TLS, and the race is that of files")
@pytest.mark.parametrize("options", [(), ("--cache-size=1", "--open-files=1")], ids=["cached", "uncached"])
def test_a_swap_race_leaks_no_byte(serve, folder, outside, options):
    """L10: GETs by pipelined clients while a directory and links out of the root change places; openat2 must win each
    time. 50,000 GETs, 20,000 with a sanitizer, with GALLEY_TEST_FULL=1 a million."""
    count = (1_000_000 if lab.FULL else 50_000 if galley.SLOW == 1 else 20_000) // (1 if not options else 5)
    server = serve("--access-log=/dev/null", *options, root=prepare_race(folder, outside))
    command = [galley.built("programs", "swap_race"), server.host, str(server.port), server.argv[-1], str(count), "4", SECRET]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600 * galley.SLOW)
    print(done.stdout)
    numbers = re.search(r"answers (\d+) found (\d+) leaks (\d+) swaps (\d+)", done.stdout)
    answers, found, leaks, swaps = (int(number) for number in numbers.groups())
    assert done.returncode == 0 and leaks == 0 and answers == count, done.stdout + done.stderr
    assert 0 < found and swaps > 0, "the race was one"


def test_a_root_that_is_renamed_or_replaced_stays_the_root(serve, folder, outside):
    """L10: the root is opened once."""
    root = folder({"a.txt": "inside"})
    server = serve(root=root)
    assert server.get("/a.txt").body == b"inside"
    root.rename(root.with_name("moved"))
    os.symlink(outside, root)
    (root.with_name("moved") / "new.txt").write_text("new")
    assert server.get("/a.txt").body == b"inside"
    assert server.get("/new.txt").body == b"new"


def make_special(root):
    """Every kind of thing that is not a file; names of those that could be made."""
    os.mkfifo(root / "fifo")
    os.mkfifo(root / "fifo.html")
    os.mkdir(root / "dir.txt")
    names = ["fifo", "fifo.html"]
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(root / "socket"))
    sock.close()
    names.append("socket")
    for name, kind, device in (("null", 0o020666, (1, 3)), ("zero", 0o020666, (1, 5)), ("tty", 0o020666, (5, 0)),
                               ("block", 0o060666, (7, 0))):
        try:
            os.mknod(root / name, kind, os.makedev(*device))
            names.append(name)
        except PermissionError:  # not root
            pass
    return names


def test_special_files_are_not_there_and_block_nobody(serve, folder):
    """L11: FIFO, socket, device, directory as file: 404, and the answer comes though the FIFO has no writer; other
    clients are served meanwhile, with one file thread too."""
    root = folder({"a.txt": "text"})
    names = make_special(root)
    server = serve("--list", root=root)
    with server.connect() as other, server.connect() as client:
        client.send(b"".join(galley.request_bytes("/" + name) for name in names * 20))
        assert other.get("/a.txt").body == b"text"
        assert {client.read_response().status for _ in names * 20} <= {403, 404}
        assert client.get("/dir.txt").status == 301
        assert client.get("/fifo/").status == 404 and client.get("/a.txt/").status == 404
        assert client.get("/a.txt/b").status == 404
        assert other.get("/a.txt").body == b"text"
        assert client.get("/", {"Accept": "text/html"}).status == 200


def test_a_file_that_becomes_a_fifo_is_gone(serve, folder):
    """L11: what the cache knew is no promise."""
    root = folder({"a.txt": "text"})
    server = serve(root=root)
    assert server.get("/a.txt").body == b"text"
    os.mkfifo(root / "new")
    os.rename(root / "new", root / "a.txt")
    galley.wait_until(lambda: server.get("/a.txt").status == 404, what="the FIFO is not served")


def test_a_name_that_is_a_file_and_a_fifo_in_turns_blocks_nobody(serve, folder, tmp_path):
    """L11: between the look at a name and its open it may become a FIFO; the open must not wait for a writer."""
    root = folder({"turns": "text"})
    os.link(root / "turns", tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    server = serve("--file-threads=1", root=root)
    stop = threading.Event()

    def take_turns():
        while not stop.is_set():
            for name in ("fifo", "file"):
                os.link(tmp_path / name, tmp_path / "next")
                os.rename(tmp_path / "next", root / "turns")

    thread = threading.Thread(target=take_turns)
    thread.start()
    try:
        with server.connect() as client:
            answers = [client.get("/turns") for _ in range(20_000 if lab.FULL else 3000)]
    finally:
        stop.set()
        thread.join()
    assert {(answer.status, answer.body) for answer in answers if answer.status != 404} <= {(200, b"text")}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_403_or_404(serve, folder):
    root = folder({"a.txt": "text"})
    (root / "a.txt").chmod(0)
    assert serve(root=root).get("/a.txt").status in (403, 404)
