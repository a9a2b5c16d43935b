"""Files that change, grow, shrink, vanish or are replaced, at rest and while they are sent. L22, L25."""

import array
import os

import pytest

import galley
import lab

SIZE = 16 << 20  # far more than the buffers between server and client
CUT = 1_000_000


def numbered(size, salt=0):
    return array.array("Q", range(salt, salt + size // 8)).tobytes()


def begin_download(server, target="/big"):
    """A client that has read the head and a little, and then waits while the file is tampered with."""
    client = server.connect(receive_buffer=16384, timeout=30)
    client.send(galley.request_bytes(target) + galley.request_bytes("/small"))
    head = client.read_head()
    assert head.status == 200
    return client, int(head.header("Content-Length")), client.read_bytes(100_000)


def wait_for_size(server, target, size):
    """Until the server knows. Asked by HEAD: what it does not know yet it would promise, and break off."""
    galley.wait_until(lambda: server.get(target, method="HEAD").header("Content-Length") == str(size), what=f"{size} bytes")


@pytest.fixture
def root(folder):
    return folder({"big": numbered(SIZE), "small": "small"})


def test_a_file_that_shrinks_while_it_is_sent_ends_the_connection(serve, root):
    """L25: never padded, never a second answer behind a short one, no crash; the client sees a broken connection."""
    server = serve(root=root)
    client, length, begun = begin_download(server)
    with client:
        os.truncate(root / "big", CUT)
        data, was_reset = lab.read_all(client)
    got = begun + data
    assert length == SIZE and len(got) < SIZE
    assert numbered(SIZE).startswith(got[:CUT])
    # What was on its way shares its pages with the file, and the system blanks them behind the cut.
    assert all(byte in (0, was) for byte, was in zip(got[CUT:], numbered(SIZE)[CUT:])), "only bytes of the file, in order"
    assert was_reset, "a reset, so that a cut answer cannot pass for a whole one"
    assert b"HTTP/1.1" not in got
    assert server.get("/small").body == b"small"
    wait_for_size(server, "/big", CUT)
    assert server.get("/big").body == numbered(SIZE)[:CUT]


def test_a_file_cut_to_nothing_while_it_is_sent_ends_the_connection(serve, root):
    """L25."""
    server = serve(root=root)
    client, _, begun = begin_download(server)
    with client:
        os.truncate(root / "big", 0)
        data, was_reset = lab.read_all(client)
    assert was_reset and len(begun + data) < SIZE
    wait_for_size(server, "/big", 0)
    assert server.get("/big").body == b""


def test_a_file_that_grows_while_it_is_sent_is_sent_as_it_was_promised(serve, root):
    """L25: Content-Length holds, and the next answer begins right behind it."""
    server = serve(root=root)
    client, length, begun = begin_download(server)
    with client:
        with open(root / "big", "ab") as file:
            file.write(b"x" * 1_000_000)
        assert begun + client.read_bytes(length - len(begun)) == numbered(SIZE)
        assert client.read_response().body == b"small"
    wait_for_size(server, "/big", SIZE + 1_000_000)


def test_a_file_replaced_by_rename_while_it_is_sent_is_sent_whole_as_it_was(serve, root):
    """L25: the open file is the old one."""
    server = serve(root=root)
    client, length, begun = begin_download(server)
    with client:
        (root / "new").write_bytes(numbered(SIZE, 7))
        os.rename(root / "new", root / "big")
        assert begun + client.read_bytes(length - len(begun)) == numbered(SIZE)
        assert client.read_response().body == b"small"
    galley.wait_until(lambda: server.get("/big").body == numbered(SIZE, 7), what="the new content")


def test_a_file_deleted_while_it_is_sent_is_sent_whole(serve, root):
    """L25."""
    server = serve(root=root)
    client, length, begun = begin_download(server)
    with client:
        os.unlink(root / "big")
        assert begun + client.read_bytes(length - len(begun)) == numbered(SIZE)
        assert client.read_response().body == b"small"
    galley.wait_until(lambda: server.get("/big").status == 404, what="404 for the deleted file")


def test_many_downloads_that_break_leave_no_descriptor(serve, folder):
    """L25: files shrink, clients vanish; descriptors come back, the server serves."""
    root = folder({f"big{i}": numbered(4 << 20) for i in range(10)} | {"small": "small"})
    server = serve(root=root)
    server.get("/small")
    clients = []
    for i in range(10):
        client = server.connect(receive_buffer=8192)
        client.send(galley.request_bytes(f"/big{i}"))
        client.read_head()
        clients.append(client)
    for i, client in enumerate(clients):
        if i % 2:
            os.truncate(root / f"big{i}", 10)
        client.reset()
    before = 60  # listeners, epoll, watches, cached files: a bound, not a number to keep
    galley.wait_until(lambda: server.open_fds() < before, what="descriptors closed")
    assert server.get("/small").body == b"small"


def test_a_change_is_seen_by_the_next_request(serve, folder):
    """L22, pain 12: written in place with the same size and the same time, too."""
    root = folder({"a.txt": "0000"})
    server = serve(root=root)
    with server.connect() as client:
        for i in range(1, 100):
            text = f"{i:04}".encode()
            (root / "a.txt").write_bytes(text)
            os.utime(root / "a.txt", (10**9, 10**9))
            galley.wait_until(lambda: client.get("/a.txt").body == text, timeout=3, what=f"content {i}")


def test_a_new_etag_comes_with_new_content(serve, folder):
    """L22: a validator never outlives what it describes."""
    root = folder({"a.txt": "one"})
    server = serve(root=root)
    old = server.get("/a.txt").header("ETag")
    (root / "a.txt").write_text("two")
    galley.wait_until(lambda: server.get("/a.txt").body == b"two")
    answer = server.get("/a.txt", {"If-None-Match": old})
    assert answer.status == 200 and answer.body == b"two" and answer.header("ETag") != old
    (root / "a.txt").write_text("one")
    galley.wait_until(lambda: server.get("/a.txt").body == b"one")
    assert server.get("/a.txt").header("ETag") == old, "from the content: the same again"


def test_new_gone_and_moved_names_are_seen(serve, folder):
    """L22: also 404s that were remembered, directories that move, and links that point elsewhere."""
    root = folder({"a.txt": "a", "dir/x.txt": "x", "v1/p.txt": "1", "v2/p.txt": "2"})
    os.symlink("v1", root / "current")
    server = serve(root=root)

    def becomes(target, body):
        galley.wait_until(lambda: server.get(target).body == body, what=f"{target}: {body}")

    assert server.get("/new.txt").status == 404 and server.get("/d2/x.txt").status == 404
    (root / "new.txt").write_text("new")
    becomes("/new.txt", b"new")
    becomes("/dir/x.txt", b"x")
    os.rename(root / "dir", root / "d2")
    becomes("/d2/x.txt", b"x")
    galley.wait_until(lambda: server.get("/dir/x.txt").status == 404)
    becomes("/current/p.txt", b"1")
    os.symlink("v2", root / "next")
    os.rename(root / "next", root / "current")  # how sites are deployed
    becomes("/current/p.txt", b"2")
    os.unlink(root / "a.txt")
    galley.wait_until(lambda: server.get("/a.txt").status == 404)


def test_a_flood_of_renames_leaves_nothing_stale(serve, folder):
    """L22: more changes than the queue of events takes; after it every file is what it is on the disk."""
    root = folder({f"f{i}.txt": "old" for i in range(20)})
    server = serve(root=root)
    for i in range(20):
        assert server.get(f"/f{i}.txt").body == b"old"
    limit = int(galley.Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    (root / "x").write_text("flood")
    for i in range(min(2 * limit, 100_000)):
        os.rename(root / ("x" if i % 2 == 0 else "y"), root / ("y" if i % 2 == 0 else "x"))
    for i in range(20):
        (root / f"f{i}.txt").write_text(f"new {i}")
    for i in range(20):
        galley.wait_until(lambda: server.get(f"/f{i}.txt").body == f"new {i}".encode(), what=f"file {i}")


def test_a_file_under_constant_change_is_never_torn(serve, folder, way):
    """L22: replaced by rename a thousand times, each answer is one of the contents, with an ETag of its own."""
    count = 1000 if way == "http" and galley.SLOW == 1 else 300
    root = folder({"a.txt": "0" * 5000})
    server = serve(root=root)
    tags = {}
    with server.connect() as client:
        for i in range(count):
            (root / "next").write_text(f"{i % 10}" * (5000 + i % 10))
            os.rename(root / "next", root / "a.txt")
            answer = client.get("/a.txt")
            assert len(set(answer.body)) == 1 and len(answer.body) == 5000 + int(answer.body[:1])
            assert tags.setdefault(answer.header("ETag"), answer.body) == answer.body
