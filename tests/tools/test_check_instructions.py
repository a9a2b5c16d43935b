"""tools/check_instructions over a stand-in for valgrind: what is more than the baseline, what is skipped and why."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools/check_instructions"
VALGRIND = """#!/bin/sh
[ "$1" = --version ] && { echo valgrind-9.9; exit; }
for a; do case $a in --callgrind-out-file=*) out=${a#*=};; esac; done
n=0
for step in $STEPS; do
    n=$((n + 1))
    echo "totals: ${step#*:}" > $out.$n
    echo ${step%:*}
done
"""


@pytest.fixture
def check(tmp_path):
    """check("parse:120000", ...) -> CompletedProcess; a round's instructions are a thousandth of that."""
    build = tmp_path / "build"
    (build / "bench").mkdir(parents=True)
    (build / "bench/bench_micro").write_text("")
    (build / "CMakeCache.txt").write_text("CMAKE_C_COMPILER:FILEPATH=/bin/echo\n")
    valgrind = tmp_path / "valgrind"
    valgrind.write_text(VALGRIND)
    valgrind.chmod(0o755)

    def run(*arguments, steps=""):
        environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "STEPS": steps}
        return subprocess.run([sys.executable, TOOL, "--build", build, "--baseline", tmp_path / "baseline.json",
                               *arguments], capture_output=True, text=True, env=environment)

    return run


def test_a_step_that_grew_by_more_than_a_twentieth_fails(check):
    assert check("--update", steps="parse:100000 scan:200000").returncode == 0
    assert check(steps="parse:105000 scan:200000").returncode == 0
    done = check(steps="parse:106000 scan:200000")
    assert done.returncode == 1 and "parse: 106 instructions, +6.0% over the baseline's 100" in done.stdout
    assert "2 steps, 1 violations" in done.stdout


def test_a_short_step_may_change_by_two_instructions(check):
    check("--update", steps="scan:20000")
    assert check(steps="scan:22000").returncode == 0
    assert check(steps="scan:23000").returncode == 1


def test_a_step_that_became_cheaper_is_said_and_passes(check):
    check("--update", steps="parse:100000")
    done = check(steps="parse:80000")
    assert done.returncode == 0 and "parse -20.0%" in done.stdout


def test_a_new_step_and_a_lost_step_fail(check):
    check("--update", steps="parse:100000")
    done = check(steps="scan:100000")
    assert done.returncode == 1 and "scan: not in the baseline" in done.stdout
    assert "parse: in the baseline, but not measured" in done.stdout


def test_a_machine_without_a_baseline_is_skipped_with_a_sentence(check, tmp_path):
    (tmp_path / "baseline.json").write_text(json.dumps({"gcc 1, glibc 1, valgrind-1, z80": {"parse": 1}}))
    done = check(steps="parse:100000")
    assert done.returncode == 0 and done.stdout.startswith("skipped: ") and "z80" in done.stdout
    assert "valgrind-9.9" in done.stdout


def test_updating_keeps_the_parts_of_other_machines(check, tmp_path):
    (tmp_path / "baseline.json").write_text(json.dumps({"z80": {"parse": 1}}))
    check("--update", steps="parse:100000")
    stored = json.loads((tmp_path / "baseline.json").read_text())
    assert stored["z80"] == {"parse": 1} and {"parse": 100} in stored.values()
