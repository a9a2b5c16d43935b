"""galley as it is installed: a release build, a prefix made of it, and programs built against that as users do it
(pkg-config, CMake; see tests/packaging/build_against_prefix). tests/integration/conftest.py makes fixtures of it:
release, prefix (both once for all tests) and build.

The release build of `make` is used, or GALLEY_RELEASE_BUILD. Tests of it run once, not again for each sanitizer:
`pytestmark = installed.NEEDED`."""

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import galley

ROOT = galley.ROOT
BUILDER = ROOT / "tests/packaging/build_against_prefix"


def sanitizers():
    """What GALLEY_BIN was built with: "address,undefined", "" for none."""
    cache = galley.program_path().parent / "CMakeCache.txt"
    found = cache.exists() and re.search(r"^GALLEY_SANITIZE:\w+=(.*)", cache.read_text(), re.M)
    return found[1] if found else ""


NEEDED = [
    pytest.mark.once,
    pytest.mark.skipif(bool(sanitizers()), reason="the release is the same under every sanitizer"),
    pytest.mark.skipif(not shutil.which("pkg-config"), reason="needs pkg-config"),
]


def command(*words, **how):
    """Runs it, wants exit 0, gives what it printed."""
    words = [str(word) for word in words]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, **how)
    assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def make_release():
    """The folder of an up-to-date release build; of several processes that want it, one makes it."""
    folder = Path(os.environ.get("GALLEY_RELEASE_BUILD", ROOT / "build/release"))
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".tests.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build_release(folder)


def build_release(folder):
    if not (folder / "build.ninja").exists():
        command("cmake", "--preset", "release", "-B", folder, cwd=ROOT)
    command("cmake", "-DCMAKE_INSTALL_LIBDIR=lib", folder, cwd=ROOT)  # `make install LIBDIR=` may have set another
    command("cmake", "--build", folder, "-j", len(os.sched_getaffinity(0)), "--target", "product", cwd=ROOT)
    return folder


def make_prefix(release, folder):
    """Installed below folder, then moved to another place: nothing may depend on where it was installed."""
    command("cmake", "--install", release, "--prefix", folder / "first")
    (folder / "first").rename(folder / "prefix")
    return folder / "prefix"
