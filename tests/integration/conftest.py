"""Fixtures of the whole-server tests. Each server is stopped at the end of its test by TERM, must exit 0 (unless
the test said otherwise or stopped it itself) and must not have printed a sanitizer report."""

import os
import subprocess

import pytest

import galley
import installed
import ways

IS_REPEATED = bool(installed.sanitizers()) or "GALLEY_TEST_IO" in os.environ
WANTED_WAY = os.environ.get("GALLEY_TEST_WAY")


def pytest_addoption(parser):
    parser.addoption("--ways", action="store_true", help="list the tests that are left out of a way, and why; run none")


def pytest_generate_tests(metafunc):
    """One test for each way, where it uses a server that has them; see tests/harness/ways.py."""
    marks, path = list(metafunc.definition.iter_markers()), metafunc.definition.path
    if "way" not in metafunc.fixturenames:
        return
    found = ways.ways_of(marks, path)
    if IS_REPEATED and not WANTED_WAY and not metafunc.definition.get_closest_marker("core"):
        found = ["http"]
    if found != ["http"]:
        metafunc.parametrize("way", found, indirect=True, scope="module")


def way_of(item):
    return item.callspec.params.get("way", "http") if hasattr(item, "callspec") else "http"


def is_wanted(item):
    """Parameters can have marks of their own, which pytest_generate_tests() does not see."""
    way = way_of(item)
    return way in ways.ways_of(item.iter_markers(), item.path) and WANTED_WAY in (None, way)


def pytest_collection_modifyitems(config, items):
    """Marks `once`, `only` and `alone`, see pytest.ini. What takes longest begins first, so that none is left at the
    end."""
    dropped = [item for item in items if not is_wanted(item)]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if is_wanted(item)]
    for item in items:
        if (IS_REPEATED or way_of(item) != "http") and item.get_closest_marker("once"):
            item.add_marker(pytest.mark.skip(reason="not repeated: neither sanitizer nor --io nor way can change it"))
    items.sort(key=lambda item: not item.get_closest_marker("xdist_group"))


def pytest_report_collectionfinish(config, items):
    counts = ", ".join(f"{sum(way_of(item) == way for item in items)} over {way}" for way in ways.WAYS)
    return f"ways: {counts}"


def pytest_runtestloop(session):
    """--ways: what is left out, instead of running it."""
    if not session.config.getoption("--ways"):
        return None
    reasons = {}
    for item in session.items:
        for found, because in ways.exclusions(item.iter_markers(), item.path):
            reasons.setdefault((found, because), []).append(item)
    for (found, because), out in sorted(reasons.items(), key=lambda row: -len(row[1])):
        files = ", ".join(sorted({item.path.name for item in out}))
        print(f"{len(out):5} only over {', '.join(found)}: {because} ({files})")
    return True


@pytest.fixture(scope="session")
def papers(tmp_path_factory):
    """The certificate of all servers; see tests/harness/ways.py."""
    return ways.Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def way(request):
    """Over what this test talks to its servers: "http", "tls", "h2"."""
    return getattr(request, "param", "http")


@pytest.fixture(scope="module")
def dress(request, way):
    """What galley.Server wants for it."""
    return None if way == "http" else request.getfixturevalue("papers").dress(way)


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
    """launch(argv, expect_exit=0, ready=True, ...) -> Server, for any program that prints its URL, over plain HTTP/1.1.

    expect_exit: what stopping must give; None: anything. ready=False: do not wait for the URL."""
    running = []

    def start(argv, expect_exit=0, ready=True, env=None, cwd=None, inherit=(), dress=None):
        path = galley.Path(argv[0])
        assert path.exists(), f"{path} is not built: run `make test`, or build it and set GALLEY_BIN"
        server = galley.Server(argv, tmp_path / f"server{len(running)}", env, cwd, inherit, dress)
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


@pytest.fixture(scope="module")
def options_of_way(request, way):
    """Options of the program with which it serves this way."""
    if way == "http":
        return ["--listen=127.0.0.1:0"]
    papers = request.getfixturevalue("papers")
    return ["--listen=127.0.0.1:0,tls", f"--tls-cert={papers.cert}", f"--tls-key={papers.key}"]


@pytest.fixture(scope="module")
def env_of_way(request, way):
    """The environment with which a helper program serves this way; see tests/harness/wanted_way.h."""
    if way == "http":
        return {}
    papers = request.getfixturevalue("papers")
    return {"GALLEY_TEST_CERT": str(papers.cert), "GALLEY_TEST_KEY": str(papers.key)}


@pytest.fixture
def serve(launch, folder, way, dress, options_of_way):
    """serve("--list", root=path, ...) -> the galley program on 127.0.0.1 with a free port, serving `root` (default:
    an empty folder), to whom clients talk this test's way. A --listen among the options replaces the default address,
    and is for plain tests."""

    def start(*options, root=None, **how):
        options = [str(option) for option in options]
        if not any(option.startswith("--listen") for option in options):
            options = [*options_of_way, *options]
        else:
            assert way == "http", 'it has a --listen of its own: mark the test @only("plain", because="...")'
        return launch([galley.program_path(), *options, root or folder()], dress=dress, **how)

    return start


@pytest.fixture
def example(launch):
    """example("book", "--port=0", ...) -> a program of examples/ that serves."""
    return lambda name, *arguments, **how: launch([galley.built("examples", name), *arguments], **how)


@pytest.fixture
def program(launch, dress, env_of_way):
    """program("slow_handler", ...) -> a helper program of tests/programs/, to whom clients talk this test's way."""

    def start(name, *arguments, env=None, **how):
        argv = [galley.built("programs", name), *arguments]
        return launch(argv, env={**env_of_way, **(env or {})}, dress=dress, **how)

    return start


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
