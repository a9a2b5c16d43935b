"""The Debian packages: built from the tree without network, without complaints of lintian, holding what docs/packaging.md
says; what is unpacked from them runs, and programs are built with it. GALLEY_TEST_FULL=1: installed and removed in a
fresh Debian (debootstrap), with nothing left behind."""

import os
import re
import shutil
import subprocess

import pytest

import galley
import lab

ROOT = galley.ROOT
BUILDER = ROOT / "tests/packaging/build_against_prefix"
PACKAGES = ("galley", "libgalley0", "libgalley-pool0", "libgalley-dev")


def is_sanitized():
    cache = galley.program_path().parent / "CMakeCache.txt"
    return cache.exists() and re.search(r"^GALLEY_SANITIZE:\w+=.+", cache.read_text(), re.M)


def may_build():
    """The packages take half a minute to build: once a run, and only where the tools are."""
    return shutil.which("dh") and shutil.which("dpkg-buildpackage") and not is_sanitized()


pytestmark = [
    pytest.mark.skipif(not may_build(), reason="needs debhelper; not repeated for sanitizers"),
    pytest.mark.once,
    pytest.mark.xdist_group("deb"),
]


def command(*words, **how):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, **how)
    assert done.returncode == 0, f"{' '.join(map(str, words))}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def debs(tmp_path_factory):
    """{package: path} of freshly built packages; a network that cannot be reached, if that can be arranged."""
    folder = tmp_path_factory.mktemp("deb")
    offline = ["unshare", "--net", "--map-root-user"]
    can = subprocess.run([*offline, "true"], capture_output=True).returncode == 0
    command(*(offline if can else []), ROOT / "tools/make_deb", folder)
    return {path.name.partition("_")[0]: path for path in folder.glob("*.deb")}


@pytest.fixture(scope="module")
def unpacked(debs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("root")
    for name in PACKAGES:
        command("dpkg-deb", "-x", debs[name], folder)
    return folder


def contents(deb):
    return {line.split()[5].lstrip(".") for line in command("dpkg-deb", "-c", deb).splitlines()}


def field(deb, name):
    return command("dpkg-deb", "-f", deb, name).strip()


def test_every_package_holds_what_it_should(debs):
    arch = command("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
    held = {name: contents(debs[name]) for name in PACKAGES}
    lib = f"/usr/lib/{arch}"
    for name, paths in {
        "galley": {"/usr/bin/galley", "/usr/share/man/man1/galley.1.gz",
                   "/usr/share/bash-completion/completions/galley"},
        "libgalley0": {f"{lib}/libgalley.so.0", f"{lib}/libgalley.so.0.1.0"},
        "libgalley-pool0": {f"{lib}/libgalley-pool.so.0", f"{lib}/libgalley-pool.so.0.1.0"},
        "libgalley-dev": {"/usr/include/galley/server.h", f"{lib}/libgalley.a", f"{lib}/libgalley.so",
                          f"{lib}/pkgconfig/galley.pc", f"{lib}/cmake/galley/galley-config.cmake",
                          "/usr/share/man/man3/galley_res_text.3.gz", "/usr/share/doc/libgalley-dev/html/index.html"},
    }.items():
        assert paths <= held[name], paths - held[name]
    files = [path for name in PACKAGES for path in held[name] if not path.endswith("/")]
    assert len(files) == len(set(files)), "a file is in two packages"


def test_the_pool_package_depends_on_the_c_library_only(debs):
    assert re.fullmatch(r"libc6 \([^)]*\)", field(debs["libgalley-pool0"], "Depends"))
    assert "libgalley-pool0 (<< 0.2" in field(debs["libgalley0"], "Depends"), "any 0.x would be taken"


def test_lintian_finds_no_error(debs):
    if not shutil.which("lintian"):
        pytest.skip("needs lintian")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *(str(debs[name]) for name in PACKAGES)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unpacked_program_serves(unpacked, launch, folder):
    program = unpacked / "usr/bin/galley"
    server = launch([program, "--listen=127.0.0.1:0", folder({"index.html": "from a package"})])
    with server.connect() as client:
        assert client.get("/").body == b"from a package"


@pytest.mark.parametrize("how", ["gcc", "gcc-static", "cmake"])
def test_programs_are_built_with_the_unpacked_library(unpacked, launch, tmp_path, how):
    if not shutil.which("pkg-config"):
        pytest.skip("needs pkg-config")
    command(BUILDER, unpacked, ROOT / "examples/hello", how, tmp_path / "hello")
    environment = {"LD_LIBRARY_PATH": str(next(unpacked.glob("usr/lib/*/libgalley.so.0")).parent)}
    with launch([tmp_path / "hello", "127.0.0.1:0"], env={**os.environ, **environment}).connect() as client:
        assert client.get("/").body == b"Hello, World!\n"


def test_the_package_build_asks_for_what_the_build_needs():
    """debian/control and packaging/debian-packages.txt tell the same; gcc and libc6-dev are on every building machine."""
    control = (ROOT / "packaging/debian/control").read_text()
    asked = re.search(r"^Build-Depends:((?:.|\n )*)", control, re.M)[1]
    rows = re.findall(r"^build +(\S+)", (ROOT / "packaging/debian-packages.txt").read_text(), re.M)
    missing = [name for name in rows if name not in ("gcc", "libc6-dev") and not re.search(rf"\b{name}\b", asked)]
    assert not missing


@pytest.mark.skipif(not lab.FULL, reason="GALLEY_TEST_FULL=1 installs into a fresh Debian")
def test_they_install_and_remove_cleanly_in_a_fresh_debian(debs, tmp_path):
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap")
    root = tmp_path / "debian"
    needs = "libssl-dev,libwslay-dev"
    command("debootstrap", "--variant=minbase", f"--include={needs},mount", "bookworm", root)

    def files():
        found = {str(path.relative_to(root)) for path in root.rglob("*")}
        return {name for name in found if not re.match(r"(tmp|proc|sys|run|var/(lib/dpkg|log|cache))(/|$)", name)}

    before = files()
    for name in PACKAGES:
        shutil.copy(debs[name], root / "tmp")
    shutil.copy(ROOT / "examples/hello/hello.c", root / "tmp")
    command("chroot", root, "sh", "-c", "dpkg -i /tmp/*.deb && galley --version && ldconfig -p | grep -q libgalley.so.0")
    assert files() > before
    command("chroot", root, "dpkg", "--purge", *reversed(PACKAGES))
    command("chroot", root, "ldconfig")
    after = files()
    shutil.rmtree(root)
    assert after == before
