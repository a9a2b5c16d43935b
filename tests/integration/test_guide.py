"""What docs/guide shows works: every block of C compiles without a warning, programs link, serve, or end with 0; the
CMakeLists.txt configures and builds, the units of systemd are units. tools/guide.py says which blocks there are,
tools/check_guide sees to the rest (names, order of the pages, sh)."""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import galley
import guide
import installed

ROOT = galley.ROOT
TOOL = str(ROOT / "tools/check_guide")
PAGES = guide.pages(ROOT)
ADDRESS = '"127.0.0.1:7878"'  # of the programs that serve; the tests put another in its place


@cache
def extracted(folder):
    installed.command(sys.executable, TOOL, "--extract", folder)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """files("*.run.c") -> paths of the guide's blocks of that kind, all in a folder of their own."""
    folder = tmp_path_factory.mktemp("guide")
    return lambda pattern: [path for path in extracted(folder) if path.match(pattern)]


DRIVERS = sorted(ROOT.glob("tests/guide/*.c"))


def compile_to(out, source, *options):
    flags = [f"-fsanitize={installed.sanitizers()}"] if installed.sanitizers() else []
    installed.command(*guide.CC, "-g", f"-I{ROOT}/include", *flags, source, *options, "-o", out)
    return out


def link(out, source, *options):
    """As a program that uses the static libraries beside GALLEY_BIN."""
    folder = galley.program_path().parent
    needs = re.search(r"^Libs.private: (.*)", (folder / "galley.pc").read_text(), re.M)[1].split()
    return compile_to(out, source, *options, folder / "libgalley.a", folder / "libgalley-pool.a", *needs)


def answer_of(launch, program, path):
    """Starts a program that serves on the unix socket `path`, asks for /."""
    server = launch([program], ready=False)
    client = []

    def can_connect():  # the name is there before anybody listens
        assert server.process.poll() is None
        try:
            client.append(galley.Client(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    galley.wait_until(can_connect, 10, "the program serves")
    with client[0]:
        return client[0].get("/")


@pytest.mark.once
def test_the_checks_pass():
    installed.command(sys.executable, TOOL)


@pytest.mark.once
@pytest.mark.parametrize("page", [page.stem for page in PAGES])
def test_the_file_of_a_page_compiles(files, tmp_path, page):
    for source in files(f"{page}.unit.c"):
        compile_to(tmp_path / "unit.o", source, "-c")


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda path: path.stem)
def test_what_a_page_says_is_true(files, tmp_path, driver):
    """A program around the code of the page; see tests/guide/support_guide.h."""
    (page,) = files(f"{driver.stem}.unit.c")
    installed.command(link(tmp_path / "program", driver, f'-DPAGE="{page}"'), timeout=60 * galley.SLOW)


def test_programs_end_with_0(files, tmp_path):
    programs = files("*.run.c")
    assert {"05", "09", "10"} <= {path.name[:2] for path in programs}
    for source in programs:
        installed.command(link(tmp_path / "program", source), timeout=60 * galley.SLOW)


def test_programs_serve_and_end_at_a_signal(files, launch, tmp_path):
    programs = files("*.serve.c")
    assert {"02", "10", "11"} <= {path.name[:2] for path in programs}
    for source in programs:
        text, place = source.read_text(), f"{tmp_path}/{source.name[:5]}"
        assert text.count(ADDRESS) == 1
        copy = tmp_path / source.name
        copy.write_text(text.replace(ADDRESS, f'"unix:{place}"'))
        answer = answer_of(launch, link(tmp_path / source.stem, copy), place)
        assert answer.status == 200 and answer.body.startswith(b"Hello"), source.name


@pytest.mark.once
def test_the_readme_shows_the_same_hello(files):
    (hello,) = files("02-*.serve.c")
    readme = re.findall(r"```c\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[0]
    code = lambda text: [line for line in text.splitlines() if line and not line.startswith("#")]
    assert code(hello.read_text()) == code(readme)


@pytest.mark.once
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_units_of_systemd_are_units(files, tmp_path):
    units = []
    for source in files("*.ini"):
        text = source.read_text()
        units.append(tmp_path / re.match(r"# (\S+)\n", text)[1])
        units[-1].write_text(re.sub(r"/usr/local/bin/hello", "/bin/true", text))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    assert done.returncode == 0 and str(tmp_path) not in done.stderr, done.stderr


for_a_prefix = pytest.mark.skipif(any(mark.args[0] for mark in installed.NEEDED if mark.name == "skipif"), reason="as test_install.py")


@pytest.mark.once
@for_a_prefix
def test_cmake_finds_galley(files, prefix, launch, tmp_path):
    (recipe,) = files("*.cmake")
    (hello,) = files("02-*.serve.c")
    place = f"{tmp_path}/socket"
    (tmp_path / "CMakeLists.txt").write_text(recipe.read_text())
    (tmp_path / "hello.c").write_text(hello.read_text().replace(ADDRESS, f'"unix:{place}"'))
    installed.command("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    installed.command("cmake", "--build", tmp_path / "build")
    assert answer_of(launch, tmp_path / "build/hello", place).body == b"Hello, World!\n"
