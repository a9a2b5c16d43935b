"""Fixtures of the whole-server tests. Each server is stopped at the end of its test by TERM, must exit 0 (unless
the test said otherwise or stopped it itself) and must not have printed a sanitizer report."""

import os
import subprocess

import pytest

import galley
import installed


def pytest_collection_modifyitems(items):
    """Marks `once` and `alone`, see pytest.ini. What takes longest begins first, so that none is left at the end."""
    is_repeated = bool(installed.sanitizers()) or "GALLEY_TEST_IO" in os.environ
    for item in items:
        if is_repeated and item.get_closest_marker("once"):
            item.add_marker(pytest.mark.skip(reason="not repeated: neither sanitizer nor --io can change it"))
    items.sort(key=lambda item: not item.get_closest_marker("xdist_group"))


@pytest.fixture
def folder(tmp_path):
    """folder({"index.html": "text", "img/a.png": b"...", "empty/": None}) -> path of a new folder."""
    count = 0

    def make(files=None):
        nonlocal count
        count += 1
        top = tmp_path / f"root{count}"
        top.mkdir()
        for name, content in (files or {}).items():
            path = top / name
            if name.endswith("/"):
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return top

    return make


@pytest.fixture
def launch(tmp_path):
    """launch(argv, expect_exit=0, ready=True, ...) -> Server, for any program that prints its URL.

    expect_exit: what stopping must give; None: anything. ready=False: do not wait for the URL."""
    running = []

    def start(argv, expect_exit=0, ready=True, env=None, cwd=None, inherit=()):
        path = galley.Path(argv[0])
        assert path.exists(), f"{path} is not built: run `make test`, or build it and set GALLEY_BIN"
        server = galley.Server(argv, tmp_path / f"server{len(running)}", env, cwd, inherit)
        running.append((server, expect_exit))
        if ready:
            server.wait_ready()
        return server

    yield start
    try:
        for server, expect_exit in running:
            server.stop(expect_exit)
    finally:
        for server, _ in running:
            server.kill()


@pytest.fixture
def serve(launch, folder):
    """serve("--list", root=path, ...) -> the galley program on 127.0.0.1 with a free port, serving `root` (default:
    an empty folder). A --listen among the options replaces the default address."""

    def start(*options, root=None, **how):
        options = [str(option) for option in options]
        if not any(option.startswith("--listen") for option in options):
            options.insert(0, "--listen=127.0.0.1:0")
        return launch([galley.program_path(), *options, root or folder()], **how)

    return start


@pytest.fixture
def example(launch):
    """example("book", "--port=0", ...) -> a program of examples/ that serves."""
    return lambda name, *arguments, **how: launch([galley.built("examples", name), *arguments], **how)


@pytest.fixture
def program(launch):
    """program("slow_handler", ...) -> a helper program of tests/programs/."""
    return lambda name, *arguments, **how: launch([galley.built("programs", name), *arguments], **how)


@pytest.fixture
def run():
    """run("--version") -> CompletedProcess of the galley program, for runs that end by themselves."""

    def start(*arguments, timeout=10.0, **how):
        command = [galley.program_path(), *[str(argument) for argument in arguments]]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout * galley.SLOW, **how
        )

    return start


@pytest.fixture(scope="session")
def release():
    """The folder of an up-to-date release build; see tests/harness/installed.py."""
    return installed.make_release()


@pytest.fixture(scope="session")
def prefix(release, tmp_path_factory):
    """Where that is installed."""
    return installed.make_prefix(release, tmp_path_factory.mktemp("install"))


@pytest.fixture
def build(prefix, tmp_path):
    """build(source, how, module...) -> a program built against the prefix, as tests/packaging/build_against_prefix."""

    def make(source, how, *modules):
        program = tmp_path / f"{galley.Path(source).stem}-{how}"
        installed.command(installed.BUILDER, prefix, source, how, program, *modules)
        return program

    return make
