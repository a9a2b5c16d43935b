"""examples/book, the rows that are about the code itself: documentation, tests, comparison."""

import json
import re
import subprocess
import sys

import pytest

import galley

ROOT = galley.ROOT
pytestmark = pytest.mark.once


def public_functions(header):
    text = (ROOT / "include/galley" / header).read_text()
    return re.findall(r"^GALLEY_API [^;{]*?\b(galley_\w+)\(", text, re.M)


def test_row_16_every_public_function_is_documented():
    done = subprocess.run([sys.executable, ROOT / "tools/check_docs"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", public_functions("pool.h"))
def test_row_16_the_pools_functions_say_what_they_return_and_whether_they_block(name):
    """The header's first comment has the rule for those that say nothing of blocking."""
    text = (ROOT / "include/galley/pool.h").read_text()
    found = re.search(r"/\*\*((?:(?!\*/).)*)\*/\s*GALLEY_API [^;{]*?\b" + name + r"\(", text, re.S)
    assert found, f"{name} has no comment"
    assert len(found[1].split()) >= 5
    assert "it does not block" in text.partition("*/")[0]


def test_row_17_every_room_has_tests():
    rooms = re.findall(r"^(\w+):", (ROOT / "src/LAYERS").read_text(), re.M)
    built = [room for room in rooms if any((ROOT / "src" / room).glob("*.c"))]
    assert "pool" in built and "server" in built
    for room in built:
        assert any((ROOT / "tests/unit" / room).glob("test_*.c")), f"tests/unit/{room} has no test"


@pytest.mark.parametrize("name", public_functions("pool.h"))
def test_row_17_every_function_of_the_pool_is_tested(name):
    tests = [*(ROOT / "tests/unit/pool").glob("*.c"), *(ROOT / "tests/public").glob("*.c")]
    assert any(re.search(rf"\b{name}\(", test.read_text()) for test in tests), f"no test calls {name}"


COMPARED = ["galley", "C-Thread-Pool", "GLib", "APR", "libuv", "oneTBB", "OpenMP"]


def compare_page():
    return (ROOT / "docs/compare-pools.md").read_text()


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_row_19_compared_with_ready_made_pools():
    page = compare_page()
    promises, found, measured = page.partition("<!-- measured: begin -->")
    assert found and "<!-- measured: end -->" in measured
    header = next(cells_of(line) for line in promises.splitlines() if line.startswith("| |"))
    assert header[1:] == COMPARED
    for word in ("bound", "refus", "thread cannot be made", "fork", "deadline", "fork/join", "signal", "licen"):
        assert word in promises.lower(), f"the page says nothing of: {word}"


def test_row_19_the_measured_part_says_where_and_when_and_has_a_figure_in_each_cell():
    measured = compare_page().partition("<!-- measured: begin -->")[2].partition("<!-- measured: end -->")[0]
    assert re.search(r"20\d\d-\d\d-\d\d, .* CPUs, Linux ", measured)
    assert "QUICK" not in measured
    tables = re.findall(r"^\| {2}\|[^\n]*\n\|[-:| ]*\n((?:\|[^\n]*\n?)*)", measured, re.M)
    lines = [cells_of(line) for table in tables for line in table.splitlines()]
    assert len(lines) > 60, "the table of a whole run has more lines"
    for line in lines:
        assert all(cell for cell in line[2:-1]), f"an empty cell: {line}"


def test_row_19_the_bench_runs(tmp_path):
    """The short form over galley and one peer: its shape, not its figures."""
    build = galley.program_path().parent
    programs = [build / "bench" / f"bench_pool_{peer}" for peer in ("galley", "openmp")]
    if not all(program.exists() for program in programs):
        pytest.skip("bench/pool is not built under sanitizers")
    found = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, ROOT / "bench/pool/run", "--build", build, "--quick", "--peers", "galley,openmp", "--cpus",
         "1", "--json", found],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "Linux" in lines[0] and "galley" in lines[1] and "OpenMP" in lines[1]
    assert "1 CPU, 1 worker" in done.stdout and "galley is" in done.stdout
    results = json.loads(found.read_text())["results"]
    assert {result["peer"] for result in results} == {"galley", "openmp"}
    for result in results:
        if result["peer"] == "galley":
            assert all(not {"failed", "wrong", "absent"} & set(run) for run in result["runs"]), result
