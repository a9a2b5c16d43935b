"""What `make install` puts into a prefix is whole: programs are built against it as users do it (pkg-config, CMake, C++,
clang; shared and static) and serve; nothing in it names the machine it was made on; uninstall leaves nothing."""

import os
import re
import shutil
import subprocess

import pytest

import galley
import installed
from installed import command

ROOT = galley.ROOT
HELLO = ROOT / "examples/hello/hello.c"
pytestmark = installed.NEEDED


def says_hello(launch, program):
    with launch([program, "127.0.0.1:0"]).connect() as client:
        answer = client.get("/")
    assert (answer.status, answer.body) == (200, b"Hello, World!\n")


def has_static_needs(prefix):
    """Are the libraries that libgalley stands on there as static ones?"""
    names = re.findall(r"-l(\S+)", re.search(r"Libs.private:(.*)", (prefix / "lib/pkgconfig/galley.pc").read_text())[1])
    return all("/" in command("gcc", f"-print-file-name=lib{name}.a").strip() for name in names)


@pytest.mark.parametrize("how", ["gcc", "gcc-static", "gcc-all-static", "clang", "clang-static", "cmake", "cmake-static"])
def test_a_program_is_built_and_serves(build, launch, prefix, how):
    if not shutil.which(how.split("-")[0]):
        pytest.skip(f"needs {how.split('-')[0]}")
    if how == "gcc-all-static" and not has_static_needs(prefix):
        pytest.skip("a library that galley needs is not there as a static one")
    program = build(HELLO, how)
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", command("readelf", "-d", program))
    is_shared = "static" not in how
    assert ("libgalley.so.0" in needed) == is_shared, needed
    says_hello(launch, program)


def test_a_cxx11_program_that_includes_every_header_serves(build, launch, prefix, tmp_path):
    headers = sorted(path.name for path in (prefix / "include/galley").glob("*.h"))
    assert "server.h" in headers and "pool.h" in headers
    source = tmp_path / "all.c"
    source.write_text("".join(f"#include <galley/{name}>\n" for name in headers) + HELLO.read_text())
    says_hello(launch, build(source, "cxx"))


@pytest.mark.parametrize("how", ["pool", "pool-static", "pool-all-static"])
def test_a_program_of_the_pool_alone(build, how):
    program = build(ROOT / "examples/hash_files/hash_files.c", how)
    assert "Makefile" in command(program, ROOT / "Makefile")
    assert "libgalley.so.0" not in command("readelf", "-d", program)


def test_the_pool_needs_the_c_library_only(prefix):
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", command("readelf", "-d", prefix / "lib/libgalley-pool.so")))
    assert {name.split(".")[0] for name in needed} <= {"libc", "ld-linux-x86-64", "ld-linux-aarch64"}, needed


def test_sonames_and_links_are_those_of_the_abi(prefix):
    for name in ("galley", "galley-pool"):
        link = prefix / f"lib/lib{name}.so"
        assert link.is_symlink() and os.readlink(link) == f"lib{name}.so.0"
        assert f"[lib{name}.so.0]" in re.search(r".*SONAME.*", command("readelf", "-d", link))[0]
        assert (prefix / f"lib/lib{name}.so.0").resolve().name == f"lib{name}.so.0.1.0"


def test_static_libraries_hold_machine_code_only(prefix):
    """Intermediate code of one gcc is refused by another, and by clang."""
    for name in ("galley", "galley-pool"):
        assert ".gnu.lto" not in command("readelf", "-SW", prefix / f"lib/lib{name}.a")


def test_the_program_manual_and_completion_are_there(prefix):
    assert "galley 0." in command(prefix / "bin/galley", "--version")
    assert (prefix / "share/man/man1/galley.1").read_text().startswith(".")
    assert "complete " in (prefix / "share/bash-completion/completions/galley").read_text()


def test_every_public_function_has_a_manual_page_without_warnings(prefix):
    functions = set()
    for header in (prefix / "include/galley").glob("*.h"):
        functions |= set(re.findall(r"^GALLEY_API [^;]*?\b(galley_\w+)(?:\(|;)", header.read_text(), re.M))
    pages = prefix / "share/man/man3"
    assert not [name for name in functions if not (pages / f"{name}.3").exists()]
    for page in sorted(pages.iterdir()) if shutil.which("groff") else []:
        done = subprocess.run(["groff", "-ww", "-z", "-K", "utf8", "-man", "-Tutf8", page], capture_output=True, text=True)
        assert done.stderr == "", page.name
    if shutil.which("mandoc"):
        command("mandoc", "-T", "lint", "-W", "error", *sorted(pages.iterdir()))


def test_every_link_of_the_html_reference_leads_somewhere(prefix):
    pages = {path.name: path.read_text() for path in (prefix / "share/doc/galley/html").glob("*.html")}
    assert {"index.html", "pool.html", "http.html"} <= set(pages)
    for name, text in pages.items():
        for page, anchor in re.findall(r'href="([^"#]*)#?([^"]*)"', text):
            assert (page or name) in pages, f"{name}: {page}"
            assert not anchor or f'id="{anchor}"' in pages[page or name], f"{name}: {page}#{anchor}"


def test_nothing_names_the_place_it_was_installed_to(prefix):
    for path in prefix.rglob("*"):
        if path.is_file() and path.suffix in (".pc", ".cmake", ".html", ".3", ".h"):
            assert str(prefix.parent) not in path.read_text() and str(ROOT) not in path.read_text(), path


def test_pkg_config_and_cmake_tell_the_version(prefix, tmp_path):
    environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    version = re.search(r"galley VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert command("pkg-config", "--modversion", "galley", env=environment).strip() == version
    (tmp_path / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.18)\nproject(x LANGUAGES C)\n"
                                             "find_package(galley 0.9)\nmessage(STATUS found=${galley_FOUND})\n")
    said = command("cmake", "-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}")
    assert "found=0" in said, "a minor version that does not fit was taken"


def test_uninstall_leaves_what_was_there_before(release, tmp_path):
    stage = tmp_path / "stage"
    mine = stage / "opt/x/lib/other.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    environment = {**os.environ, "DESTDIR": str(stage)}
    command("cmake", "--install", release, "--prefix", "/opt/x", env=environment)
    assert (stage / "opt/x/bin/galley").exists()
    command(ROOT / "tools/uninstall", release, "/opt/x", env=environment)
    left = [path for path in stage.rglob("*") if not path.is_dir()]
    assert left == [mine]
    assert not list(stage.rglob("*galley*"))
