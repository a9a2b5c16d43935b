"""tools/run_fuzz: what it says of a target that fails, what it keeps, and its seed. The targets here are scripts that
say what libFuzzer says."""

import base64
import re
import subprocess
import sys
from pathlib import Path

import pytest

RUN_FUZZ = Path(__file__).resolve().parents[2] / "tools/run_fuzz"

GOOD = """#!/bin/sh
echo "$@" >&2
echo "stat::number_of_executed_units: 42" >&2
"""

BAD = """#!/bin/sh
for argument; do
    case $argument in -artifact_prefix=*) printf 'bad\\001' >"${argument#*=}crash-1" ;; esac
done
{
    echo "#1 NEW cov: 2"
    echo "galley: src/coding/a.c:80: check failed: is_good"
    echo "==1== ERROR: libFuzzer: deadly signal"
    echo "    #0 0x56 in __sanitizer_print_stack_trace (/x+0x1)"
    echo "    #1 0x57 in check_failed /home/x/src/base/check.c:19:5"
    echo "SUMMARY: libFuzzer: deadly signal"
} >&2
exit 77
"""


@pytest.fixture
def run_fuzz(tmp_path):
    def run(targets, *more):
        folder = tmp_path / "build/fuzz"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in targets.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        command = [sys.executable, str(RUN_FUZZ), str(tmp_path / "build"), "--crashes", str(tmp_path / "crashes")]
        return subprocess.run([*command, *more], capture_output=True, text=True)
    return run


def test_good_targets_are_counted(run_fuzz):
    done = run_fuzz({"fuzz_a": GOOD, "fuzz_b": GOOD})
    assert done.returncode == 0
    assert "ok     fuzz_a: 0 corpus files, 42 runs" in done.stdout
    assert done.stdout.endswith("2 passed, 0 failed\n")


def test_a_target_that_fails_says_why_where_and_with_which_input(run_fuzz, tmp_path):
    done = run_fuzz({"fuzz_a": GOOD, "fuzz_b": BAD})
    assert done.returncode == 1
    kept = tmp_path / "crashes/fuzz_b-crash-1"
    assert kept.read_bytes() == b"bad\001"
    told = done.stdout[done.stdout.index("FAILED"):].splitlines()
    assert told == [
        "FAILED fuzz_b: 0 corpus files, ? runs",
        "         galley: src/coding/a.c:80: check failed: is_good",
        "         ==1== ERROR: libFuzzer: deadly signal",
        "         SUMMARY: libFuzzer: deadly signal",
        "         in check_failed /home/x/src/base/check.c:19:5",
        f"         input {kept}: {base64.b64encode(kept.read_bytes()).decode()}",
        "1 passed, 1 failed"]


def test_no_target_at_all_is_a_failure(run_fuzz):
    assert run_fuzz({}).returncode == 1


def seed_in(stdout):
    return re.search(r"^seed (\d+)$", stdout, re.MULTILINE)[1]


def test_the_seed_is_said_and_given_to_each_target(run_fuzz, tmp_path):
    shows = GOOD.replace("echo \"$@\" >&2", f"echo \"$@\" >{tmp_path}/arguments")
    drawn = seed_in(run_fuzz({"fuzz_a": shows}).stdout)
    assert f"-seed={drawn} " in (tmp_path / "arguments").read_text()
    assert seed_in(run_fuzz({"fuzz_a": shows}, "--seed", "7").stdout) == "7"
    assert "-seed=7 " in (tmp_path / "arguments").read_text()
