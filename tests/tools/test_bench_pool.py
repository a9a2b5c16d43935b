"""bench/pool/run and its table, over stand-ins for the programs: what a pool does that hangs, dies or cheats."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/pool"))
import table  # noqa: E402

INFO = 'if [ "$1" = info ]; then echo \'{"name": "NAME", "version": "1"}\'; exit; fi\n'


@pytest.fixture
def build(tmp_path):
    """build({"glib": "shell script", ...}) -> a build folder with these programs; $1 is the row, $2 its variant."""
    def make(scripts):
        (tmp_path / "bench").mkdir()
        for name, script in scripts.items():
            path = tmp_path / "bench" / f"bench_pool_{name}"
            path.write_text("#!/bin/sh\n" + INFO.replace("NAME", name) + script)
            path.chmod(0o755)
        return tmp_path
    return make


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "bench/pool/run", "--build", folder, "--quick", "--cpus", "1", *arguments],
        capture_output=True, text=True)


def cells(done, title):
    line = next(line for line in done.stdout.splitlines() if line.startswith(title))
    return line[len(title):].split()


GOOD = 'echo \'{"bytes": 64}\''


def test_a_pool_that_dies_or_is_too_slow_is_a_cell_and_not_the_end(build):
    programs = {"galley": GOOD, "glib": "kill -ABRT $$", "apr": "sleep 60", "libuv": "exit 3"}
    done = run(build(programs), "--rows", "memory")
    assert done.returncode == 0, done.stderr
    line = " ".join(cells(done, "memory of a queued job"))
    assert "64" in line and "dies of SIGABRT" in line and "> 3 s" in line and "exits with 3" in line


def test_figures_of_work_that_was_not_done_are_not_shown(build):
    wrong = 'echo \'{"bytes": 1, "wrong": "jobs run: 3, not 4"}\''
    done = run(build({"galley": GOOD, "glib": wrong}), "--rows", "memory")
    assert cells(done, "memory of a queued job")[1:] == ["64", "wrong"]


def test_what_a_pool_does_not_have_is_a_dash_and_what_is_not_built_is_named(build):
    folder = build({"galley": GOOD, "openmp": 'echo \'{"absent": "no queue"}\''})
    (folder / "bench/missing.txt").write_text("tbb libtbb-dev\n")
    done = run(folder, "--rows", "memory")
    assert cells(done, "memory of a queued job")[1:] == ["64", "-"]
    assert "not built: tbb (needs libtbb-dev)" in done.stdout
    assert "QUICK" in done.stdout


def test_the_measured_part_of_a_page_is_rewritten_and_nothing_else(build, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n")
    found = tmp_path / "found.json"
    folder = build({"galley": GOOD, "glib": GOOD})
    assert run(folder, "--rows", "memory", "--json", found, "--update", page).returncode == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- measured: begin -->\n- 20") and text.endswith("<!-- measured: end -->\nafter\n")
    assert "old" not in text and "| memory of a queued job | bytes | 64 | 64 | first |" in text
    assert json.loads(found.read_text())["names"] == {"galley": "galley", "glib": "glib"}
    page.write_text(text.replace("64", "0"))
    assert run(folder, "--from", found, "--update", page).returncode == 0
    assert page.read_text() == text


def figure(better="low"):
    return table.Figure("x", "us", 1, better)


@pytest.mark.parametrize("galley, other, better, verdict", [
    ([1.0, 1.1], [2.0, 2.1], "low", "first"),
    ([2.0, 2.1], [1.0, 1.1], "low", "2.0 x behind glib"),
    ([2.0, 2.1], [1.0, 1.1], "high", "first"),
    ([1.04], [1.0], "low", "in the noise"),
    ([1.0, 1.2, 1.3], [0.9, 1.0, 1.25], "low", "in the noise"),
    ([1.3, 1.5, 1.6], [0.9, 1.0, 1.4], "low", "1.5 x behind glib"),
])
def test_the_verdict_compares_with_the_best_of_the_others(galley, other, better, verdict):
    results = {"galley": galley, "glib": other, "apr": [100.0 if better == "low" else 0.01]}
    assert table.judge(figure(better), results) == verdict


def test_a_pool_that_did_something_else_is_shown_with_a_mark_and_not_judged():
    row = table.Row("empty", 1, "empty", (table.Figure("us", "us"),), apart=table.INLINE)
    results = {"galley": [{"us": 2, "inline_percent": 0}], "openmp": [{"us": 1, "inline_percent": 90}],
               "glib": [{"us": 3, "inline_percent": 0}]}
    _, _, found, verdict = next(table.lines_of(row, results))
    assert found == ["2", "1\u00b9", "3"] and verdict == "first"
