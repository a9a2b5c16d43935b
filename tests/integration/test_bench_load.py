"""bench/load: the floor answers, the client measures and refuses wrong answers, the runner makes its tables. Seconds;
no figure is judged here. Comparing is what `make bench` is for."""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

import galley

sys.path.insert(0, str(galley.ROOT / "bench/load"))
import tls_setup  # noqa: E402

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


# ---- TLS and HTTP/2 ----


@pytest.fixture
def secure_page(serve, folder):
    return serve("--loops=1", "--listen=127.0.0.1:0,tls", "--tls-self-signed", root=folder({"page.html": "a page\n"}))


def test_rows_over_tls_have_figures_of_what_was_negotiated(tmp_path):
    text, stored = measure(tmp_path, "--peers", "galley", "--only", "tls,tls100k,shake,resumed,resumed12,h2,h2_100k,held_tls")
    assert "failed" not in text, text
    assert "TLS in every measurement: TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 resumed, TLSv1.3" in text
    for row in ("tls", "tls100k", "shake", "resumed", "resumed12", "h2", "h2_100k"):
        assert stored["results"][row]["galley"][0]["cpu_us"] > 0
    assert stored["results"]["held_tls"]["galley"][0]["each_bytes"] > 0


def test_what_is_compressed_on_the_fly_has_figures_first_and_later(tmp_path):
    text, stored = measure(tmp_path, "--peers", "galley", "--only", "coded,cold")
    assert "failed" not in text, text
    coded, cold = (stored["results"][row]["galley"][0] for row in ("coded", "cold"))
    assert coded["cpu_us"] > 0 and coded["body_bytes"] < 40_000 and cold["first_ms"] > 0


@pytest.mark.parametrize("options, words", [
    (("--tls", "1.3"), "TLSv1.3 TLS_AES_128_GCM_SHA256 full"),
    (("--tls", "1.2"), "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 full"),
    (("--tls", "1.3", "--resume"), "TLSv1.3 TLS_AES_128_GCM_SHA256 resumed"),
    (("--tls", "1.2", "--resume"), "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 resumed"),
])
def test_handshakes_are_of_the_kind_that_was_asked_for(tmp_path, secure_page, options, words):
    done = ask(tmp_path, secure_page, "200 7", "load", "--connections", "4", *options)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["requests"] >= 4 and figures["tls"] == words


def test_over_http2_every_stream_is_answered_and_checked(tmp_path, secure_page):
    kept = tmp_path / "kept"
    options = ("--tls", "1.3", "--connections", "2", "--depth", "5")
    done = ask(tmp_path, secure_page, "200 7", "h2", *options, "--keep", kept)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["requests"] >= 10 and figures["sent"] >= figures["requests"] and kept.read_text() == "a page\n"
    for expected, words in (("404 -1", "status 200, expected 404"), ("200 8", "a body of 7 bytes")):
        done = ask(tmp_path, secure_page, expected, "h2", *options)
        assert done.returncode == 1 and done.stdout == "" and words in done.stderr


def test_idle_connections_are_held_over_tls(tmp_path, secure_page):
    request = b"GET /page.html HTTP/1.1\r\nHost: x\r\n\r\n"
    path = tmp_path / "requests"
    path.write_bytes(f"200 7 {len(request)}\n".encode() + request)
    done = subprocess.run([CLIENT, "hold", str(secure_page.port), path, "--connections", "20", "--tls", "1.3"], input="5\n20\n",
                          capture_output=True, text=True, timeout=30 * galley.SLOW)
    assert done.stdout.splitlines() == ['{"held": 5}', '{"held": 20}'], done.stderr


@pytest.fixture
def stranger(tmp_path):
    """stranger(make_context) -> a server with a new context for each connection, which answers one request on each."""
    tls_setup.make_certificate(tmp_path)
    listener = socket.create_server(("127.0.0.1", 0))

    def context(**settings):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(tmp_path / tls_setup.CERTIFICATE, tmp_path / tls_setup.KEY)
        for name, value in settings.items():
            setattr(made, name, value)
        return made

    def answer(settings):
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return  # the test is over
            try:
                with context(**settings).wrap_socket(plain, server_side=True) as stream:
                    stream.recv(4096)
                    stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\na page\n")
            except OSError:
                pass  # what the client thinks of it is what is looked at

    def start(**settings):
        threading.Thread(target=answer, args=(settings,), daemon=True).start()
        return SimpleNamespace(port=listener.getsockname()[1], pid=os.getpid())

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("settings, words", [
    ({"num_tickets": 0}, "the server gives no ticket"),
    ({}, "a handshake that was to be resumed was full"),
    ({"maximum_version": ssl.TLSVersion.TLSv1_2}, "handshake: "),
])
def test_a_server_that_does_another_kind_of_work_has_no_figures(tmp_path, stranger, settings, words):
    done = ask(tmp_path, stranger(**settings), "200 7", "load", "--tls", "1.3", "--closes", "--resume")
    assert done.returncode == 1 and done.stdout == "" and words in done.stderr


def test_an_unknown_row_or_column_is_said(tmp_path):
    for option in ("--only", "--peers"):
        done = subprocess.run([sys.executable, RUN, "--build", BUILD, option, "nonsense"], capture_output=True, text=True)
        assert done.returncode == 1 and "nonsense" in done.stderr
