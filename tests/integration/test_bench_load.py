"""bench/load: the floor answers, the client measures and refuses wrong answers, the runner makes its tables. Seconds;
no figure is judged here. Comparing is what `make bench` is for."""

import json
import subprocess
import sys

import pytest

import galley

RUN = galley.ROOT / "bench/load/run"
BUILD = galley.program_path().parent
CLIENT = galley.built("bench", "bench_client")
pytestmark = pytest.mark.once


def measure(tmp_path, *arguments):
    """-> what it printed, what it wrote as JSON."""
    command = [sys.executable, RUN, "--build", BUILD, "--quick", "--seconds", str(0.1 * galley.SLOW),
               "--json", tmp_path / "out.json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 * galley.SLOW)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((tmp_path / "out.json").read_text())


def ask(tmp_path, server, expected, mode="load", *options):
    """bench_client against a server, told to expect that -> CompletedProcess."""
    request = b"GET /page.html HTTP/1.1\r\nHost: x\r\n\r\n"
    path = tmp_path / "requests"
    path.write_bytes(f"{expected} {len(request)}\n".encode() + request)
    return subprocess.run([CLIENT, mode, str(server.port), path, "--seconds", "0.05", "--pids", str(server.pid),
                           *options],
                          capture_output=True, text=True, timeout=30 * galley.SLOW)


@pytest.fixture
def page(serve, folder):
    return serve("--loops=1", root=folder({"page.html": "a page\n"}))


def test_the_table_has_galley_and_the_floor_and_the_goals(tmp_path):
    text, stored = measure(tmp_path, "--peers", "galley,epoll", "--only", "small,pipelined,close,304,range,mix,at1")
    assert "failed" not in text, text
    header = next(line for line in text.splitlines() if "blind epoll" in line and "/" not in line)
    assert header.split() == ["galley", "blind", "epoll"]
    line = next(line for line in text.splitlines() if line.startswith("173-byte page, keep-alive"))
    cpu, floor = line.removeprefix("173-byte page, keep-alive").split()
    assert float(cpu) > 0 and float(floor) > 0
    assert "small page / blind epoll" in text and "20 files / nginx" in text
    assert set(stored["results"]["small"]) == {"galley", "epoll"}
    assert set(stored["results"]["mix"]) == {"galley"}


def test_handlers_uploads_events_and_life_have_figures(tmp_path):
    text, stored = measure(tmp_path, "--peers", "galley", "--only", "loop,pool,pieces,spool,events,life,log")
    assert "failed" not in text, text
    for row in ("loop", "pool", "pieces", "spool", "events"):
        assert stored["results"][row]["galley"][0]["cpu_us"] > 0
    assert stored["results"]["life"]["galley"][0]["start_ms"] > 0
    assert stored["results"]["log"]["galley"][0]["logged"] > 0


def test_overload_and_sleeping_workers_have_figures_or_a_reason(tmp_path):
    _, stored = measure(tmp_path, "--peers", "galley", "--only", "sleepers,overload")
    for row, reasons in (("sleepers", ["the workers did not sleep"]), ("overload", ["refused of", "requests wait"])):
        for run in stored["results"][row]["galley"]:
            # Where a machine is so slow that a load that fits is refused, it says so.
            assert run.get("p99_us", 0) > 0 or any(reason in run["failed"] for reason in reasons), run


def test_the_page_and_its_plots_are_written_between_the_marks(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n")
    measure(tmp_path, "--peers", "galley", "--only", "at1,at64", "--update", tmp_path)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "cpu-by-connections.svg" in text
    assert (tmp_path / "cpu-by-connections.svg").read_text().startswith("<svg ")


def test_the_client_counts_right_answers(tmp_path, page):
    done = ask(tmp_path, page, "200 7")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["requests"] > 0 and figures["cpu_ns"] > 0 and figures["sent"] >= figures["requests"]


def test_an_open_loop_asks_as_often_as_it_is_told(tmp_path, page):
    done = ask(tmp_path, page, "200 7", "open", "--rate", "400", "--warm-up", "0.05", "--connections", "100")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["served"], figures["refused"], figures["sent"]) == (20, 0, 40)


@pytest.mark.parametrize("expected, words", [("404 -1", "status 200, expected 404"), ("200 8", "a body of 7 bytes")])
def test_the_client_gives_no_figures_for_wrong_answers(tmp_path, page, expected, words):
    done = ask(tmp_path, page, expected)
    assert done.returncode == 1 and done.stdout == "" and words in done.stderr


def test_an_unknown_row_or_column_is_said(tmp_path):
    for option in ("--only", "--peers"):
        done = subprocess.run([sys.executable, RUN, "--build", BUILD, option, "nonsense"], capture_output=True, text=True)
        assert done.returncode == 1 and "nonsense" in done.stderr
