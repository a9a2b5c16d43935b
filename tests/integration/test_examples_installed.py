"""Every program of examples/ is built against an installed prefix as a user would do it: by pkg-config and by CMake, with
every warning an error; those that are C++ as they stand as C++ too, and one that is C++ by birth. Some of them
answer a request. What each does is the business of test_examples.py."""

import shutil
import subprocess

import pytest

import galley
import installed

ROOT = galley.ROOT
EXAMPLES = {path.parent.name: path for path in sorted(ROOT.glob("examples/*/*.c"))}
HERE = "127.0.0.1:0"
MODULES = {"json_api": ["sqlite3"], "proxy_pass": ["libcurl"]}
VALID_CXX = {"hello": [HERE], "book": ["--port=0", ROOT / "examples/book"]}  # the others give a void * to a pointer
pytestmark = installed.NEEDED


def modules_of(name):
    needed = MODULES.get(name, [])
    if needed and subprocess.run(["pkg-config", "--exists", *needed]).returncode != 0:
        pytest.skip(f"needs {' '.join(needed)}")
    return needed


@pytest.mark.parametrize("how", ["gcc", "cmake"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_built_against_the_prefix(build, launch, folder, name, how):
    if not shutil.which(how):
        pytest.skip(f"needs {how}")
    program = build(EXAMPLES[name], how, *modules_of(name))
    needed = installed.command("readelf", "-d", program)
    assert "[libgalley.so.0]" in needed or "[libgalley-pool.so.0]" in needed
    if name == "hello":
        assert launch([program, HERE]).get("/").body == b"Hello, World!\n"
    if name == "upload":
        server = launch([program, folder(), HERE])
        assert server.get("/files/a", method="PUT", body=b"abc").status == 201
        assert server.get("/files/a").body == b"abc"
    if name in ("fib", "test_without_sockets"):
        installed.command(program, timeout=60 * galley.SLOW)


needs_cxx = pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")


@needs_cxx
@pytest.mark.parametrize("name", VALID_CXX)
def test_an_example_that_is_valid_cxx_is_built_as_that(build, launch, name):
    program = build(EXAMPLES[name], "cxx")
    assert launch([program, *VALID_CXX[name]]).get("/").status == 200


@needs_cxx
def test_a_cxx_program_of_some_size_serves(build, launch):
    ask = launch([build(ROOT / "tests/packaging/notes.cc", "cxx"), HERE]).get
    assert ask("/").header("Location") == "/notes"
    assert ask("/notes", method="POST", body=b"buy fish").header("Location") == "/notes/1"
    assert ask("/notes/1").body == b"buy fish"
    assert ask("/notes").text == "1 buy fish\n"
    assert ask("/notes/2").status == 404
    assert ask("/notes", method="POST", body=b"x" * 1001).status == 413
    assert ask("/later").text == "later\n"


def test_no_example_needs_more_than_it_says(prefix):
    """A header of this tree that is not installed, or an include path, would show here."""
    for name, source in EXAMPLES.items():
        for line in source.read_text().splitlines():
            if line.startswith("#include <galley/"):
                assert (prefix / "include" / line[len("#include <"):].rstrip(">")).exists(), f"{name}: {line}"
            assert not line.startswith('#include "'), f"{name}: {line}"
