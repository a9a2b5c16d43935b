"""What files may cost: the cache keeps to its budget of memory and of descriptors, also after changes."""

import lab


def test_descriptors_of_large_files_keep_to_their_budget(serve, folder):
    """Three hundred large files, eight descriptors: the rest are closed when others are opened."""
    root = folder({f"big{i}": b"b" * 5000 for i in range(300)})
    server = serve("--open-files=8", "--cache-max-file=1k", "--loops=2", root=root)
    server.get("/big0")
    before = server.open_fds()
    for _ in range(2):
        with server.connect() as client:
            for i in range(300):
                assert client.get(f"/big{i}").status == 200
    assert server.open_fds() < before + 8 + 8


def test_memory_of_small_files_keeps_to_its_budget(serve, folder):
    """A hundred files of half a megabyte, a cache of four: what was evicted is really gone."""
    root = folder({f"f{i}": bytes([i]) * 500_000 for i in range(100)})
    server = serve("--cache-size=4M", "--loops=2", root=root)
    server.get("/f0")
    before = server.resident_bytes()
    for _ in range(3):
        with server.connect() as client:
            for i in range(100):
                assert client.get(f"/f{i}").body == bytes([i]) * 500_000
    grown = server.resident_bytes() - before
    print(f"100 files of 500000 bytes through a cache of 4 MiB: {grown >> 10} KiB more")
    assert lab.has_sanitizer(server) or grown < 16 << 20


def test_descriptors_of_files_that_changed_or_went_are_closed(serve, folder):
    """A deploy replaces every file: the old ones are not held open for ever, so that the disk gets its room back."""
    root = folder({f"big{i}": b"b" * 5000 for i in range(100)})
    server = serve("--cache-max-file=1k", root=root)
    for i in range(100):
        assert server.get(f"/big{i}").status == 200
    held = server.open_fds()
    for i in range(100):
        (root / f"big{i}").unlink()
    (root / "new").write_text("new")
    lab.galley.wait_until(lambda: server.get("/new").status == 200 and server.open_fds() < held - 80, what="closed")
