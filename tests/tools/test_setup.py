"""tools/setup and .ci/run in trees of their own, with commands that are stand-ins: nothing is installed here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = "# group package proof why\nbuild there sh x\nbuild gone no-such-command x\ntest maybe-9? no-such-either x\n"


@pytest.fixture
def tree(tmp_path):
    """A copy of the two scripts beside a small package list; bin/ is the whole PATH."""
    for path in ("tools/setup", ".ci/run"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / "packaging").mkdir()
    (tmp_path / "packaging/debian-packages.txt").write_text(PACKAGES)
    (tmp_path / "bin").mkdir()
    for name in "bash sh awk sed grep dirname cat head tail tee mkdir id env uniq xargs ls timeout cut wc sleep".split():
        os.symlink(shutil.which(name), tmp_path / "bin" / name)
    return tmp_path


def add_command(tree, name, script):
    path = tree / "bin" / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


def run(tree, *command):
    return subprocess.run(
        [str(tree / command[0]), *command[1:]], env={"PATH": str(tree / "bin")}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True)


def test_what_is_missing_is_named_where_nothing_can_be_installed(tree):
    done = run(tree, "tools/setup", "build")
    assert done.returncode == 1 and "missing: gone" in done.stderr and "no apt-get" in done.stderr


def test_a_check_installs_nothing(tree):
    add_command(tree, "apt-get", f"echo called >{tree}/called\n")
    done = run(tree, "tools/setup", "--check", "build")
    assert done.returncode == 1 and "missing: gone" in done.stderr and not (tree / "called").exists()


def test_a_package_that_not_every_release_has_may_be_missing(tree):
    assert run(tree, "tools/setup", "test").returncode == 0


def test_when_everything_is_there_it_is_silent(tree):
    add_command(tree, "no-such-command", "")
    done = run(tree, "tools/setup", "build")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_unknown_group_is_a_usage_error(tree):
    done = run(tree, "tools/setup", "bild")
    assert done.returncode == 2 and "no group bild" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for apt-get without sudo")
def test_it_updates_once_and_installs_only_what_is_missing(tree):
    add_command(tree, "apt-get", f'echo "$@" >>{tree}/called\n')
    add_command(tree, "apt-cache", "exit 1\n")
    done = run(tree, "tools/setup", "build", "test")
    calls = [line.split() for line in (tree / "called").read_text().splitlines()]
    assert done.returncode == 0, done.stderr
    assert [call[-1] for call in calls] == ["update", "gone"]
    assert "running apt-get install gone" in done.stdout


def test_ci_adds_up_all_sections_and_fails_with_them(tree):
    add_command(tree, "no-such-command", "")
    (tree / "packaging/debian-packages.txt").write_text(PACKAGES + "".join(
        f"{group} there sh x\n" for group in ("check", "deb", "fuzz", "browser")))
    add_command(tree, "make", 'case "$1" in\n'
                'test) echo "1 passed, 9 failed"; echo "20 passed, 1 failed"; exit 2 ;;\n'
                'asan) echo "20 passed, 0 failed" ;;\n'
                'tsan) echo "broken build"; exit 2 ;;\n'
                "esac\n")
    done = run(tree, ".ci/run")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "40 passed, 2 failed"


def only_make(tree, script):
    """Packages are there, and `make` is this."""
    (tree / "packaging/debian-packages.txt").write_text("".join(
        f"{group} there sh x\n" for group in ("build", "test", "check", "deb", "fuzz", "browser")))
    add_command(tree, "make", script)


def test_ci_tells_at_its_end_what_failed_and_where_the_rest_is(tree):
    only_make(tree, 'case "$1" in\n'
              'all) echo "x.c:3:1: error: no such thing"; echo "ninja: stopped"; exit 1 ;;\n'
              'check) echo "FAILED sizes    1.0 s"; echo "         a.c: too long"; echo "ok     docs"; exit 1 ;;\n'
              'test) echo "failed: a::b: why"; i=0; while [ $i -lt 300 ]; do echo "noise"; i=$((i + 1)); done\n'
              '    echo "3 passed, 1 failed"; exit 1 ;;\n'
              'asan) for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "failed: c::d$i: why"; done; exit 1 ;;\n'
              'tsan) echo "what nobody expected"; exit 1 ;;\n'
              "esac\n")
    end = run(tree, ".ci/run").stdout.splitlines()[-50:]
    for line in ("x.c:3:1: error: no such thing", "FAILED sizes    1.0 s", "         a.c: too long", "failed: a::b: why",
                 "failed: c::d1: why", "... and more there", "what nobody expected"):
        assert line in end, line
    assert not {"noise", "ok     docs"} & set(end)
    assert f"---- test failed; all it said: {tree}/build/ci/test.log" in end


def test_ci_ends_a_step_that_takes_too_long(tree):
    only_make(tree, 'case "$1" in test) sleep 600 ;; *) echo "1 passed, 0 failed" ;; esac\n')
    add_command(tree, "ci", f"CI_SECONDS=2 exec {tree}/.ci/run\n")
    done = run(tree, "bin/ci")
    assert done.returncode == 1 and "failed: test: not done 2 s after the beginning (CI_SECONDS)" in done.stdout


def test_ci_ends_with_0_when_nothing_failed(tree):
    only_make(tree, 'echo "3 passed, 0 failed"\n')
    done = run(tree, ".ci/run")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "18 passed, 0 failed")
