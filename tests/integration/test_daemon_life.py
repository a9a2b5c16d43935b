"""Start and end of the program: sentences, exit statuses, signals."""

import os
import re
import signal
import socket
import subprocess

import pytest

import galley
from ways import only


def one_sentence(done, code):
    """It failed with this status and exactly one line that names the program."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines and all(line.startswith("galley: ") for line in lines), done.stderr
    return lines


# ---- cannot start


@pytest.mark.parametrize("option, sentence", [
    ("--lsit", "galley: unknown option --lsit: did you mean --list?"),
    ("--port=80", "galley: unknown option --port: did you mean --listen?"),
    ("--loops=0", "galley: --loops: '0' is out of range: 1 to 256"),
    ("--head-timeout=soon", "galley: --head-timeout: 'soon' is not a time (500ms, 10s, 2m, 1h)"),
    ("-x", "galley: unknown option -x"),
    ("--unheard-of-thing", "galley: unknown option --unheard-of-thing"),
])
def test_usage_errors_are_one_sentence_and_exit_2(run, option, sentence):
    lines = one_sentence(run(option), 2)
    assert lines == [sentence, "galley: see galley --help"]


def test_control_bytes_of_arguments_do_not_reach_the_terminal(run):
    done = run("--x\x1b[31m\n")
    assert done.returncode == 2 and "\x1b" not in done.stderr and len(done.stderr.splitlines()) == 2


def test_a_taken_port_is_one_sentence_and_exit_1(run, folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (line,) = one_sentence(run(f"--listen=127.0.0.1:{port}", folder()), 1)
    assert f"127.0.0.1:{port}: Address already in use" in line and "--listen" in line


def test_a_bad_address_is_one_sentence(run, folder):
    (line,) = one_sentence(run("--listen=nowhere.example:80", folder()), 1)
    assert "nowhere.example" in line


@pytest.mark.parametrize("make, words", [
    (lambda path: None, "No such file or directory"),
    (lambda path: path.write_text("a file"), "Not a directory"),
])
def test_no_such_folder_is_one_sentence_and_exit_1(run, tmp_path, make, words):
    path = tmp_path / "place"
    make(path)
    (line,) = one_sentence(run("--listen=127.0.0.1:0", path), 1)
    assert str(path) in line and words in line


def as_nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_an_unreadable_folder_is_one_sentence_and_exit_1(run, tmp_path, tmp_path_factory):
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="galley-") as top:  # one that everybody may enter
        os.chmod(top, 0o755)
        program = shutil.copy(galley.program_path(), os.path.join(top, "galley"))
        locked = os.path.join(top, "locked")
        os.mkdir(locked, 0o700)
        done = subprocess.run([program, "--listen=127.0.0.1:0", locked], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=10 * galley.SLOW, preexec_fn=as_nobody)
        (line,) = one_sentence(done, 1)
        assert locked in line and "Permission denied" in line


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_an_access_log_that_cannot_be_opened_is_one_sentence_and_exit_1(run, folder):
    (line,) = one_sentence(run("--listen=127.0.0.1:0", "--access-log=/nowhere/at/all", folder()), 1)
    assert "/nowhere/at/all: No such file or directory" in line


def test_a_refused_start_leaves_no_socket_behind(run, folder, tmp_path):
    path = tmp_path / "sock"
    done = run(f"--listen=unix:{path}", "--listen=bad:address:here", folder())
    assert done.returncode == 1 and not path.exists()


# ---- the first words


@only("plain", because="with TLS it also tells of certificates")
def test_the_start_says_where_what_and_what_not(serve, folder):
    server = serve(root=folder({"index.html": "x", "404.html": "y", "a.css": "z", ".git/HEAD": "ref", "b~": "old"}))
    server.wait_output(r"found 3 files, index\.html, 404\.html")
    assert re.search(r"^  http://127\.0\.0\.1:\d+/$", server.stdout, re.M)
    assert re.search(r"^  serving /.*root1$", server.stdout, re.M)
    assert "not served: .git (holds secrets)" in server.stdout
    assert "not served: b~ (left behind by an editor)" in server.stdout
    assert re.sub("^galley: event loops wait by io_uring\n", "", server.stderr) == ""
    assert "\x1b" not in server.output


def test_without_a_folder_the_current_one_is_served(launch, folder):
    root = folder({"index.html": "here"})
    server = launch([galley.program_path(), "--listen=127.0.0.1:0"], cwd=root)
    assert server.get("/").text == "here"


def test_a_hostile_file_name_does_not_reach_the_terminal(serve, folder):
    server = serve(root=folder({"index.html": "x", ".a\x1b[2Jb\nc": "y"}))
    server.wait_output("not served: ")
    assert "\x1b" not in server.stdout and ".a?[2Jb?c" in server.stdout


def test_an_access_log_on_a_terminal_is_coloured_unless_no_color(folder):
    import pty

    for env, has_colours in ({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True):
        master, slave = pty.openpty()
        clean = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        process = subprocess.Popen([galley.program_path(), "--listen=127.0.0.1:0", folder({"index.html": "x"})],
                                   stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=dict(clean, **env))
        os.close(slave)
        try:
            seen = b""
            while b"index.html" not in seen:
                seen += os.read(master, 4096)
            port = int(re.search(rb"127\.0\.0\.1:(\d+)/", seen)[1])
            with galley.Client(("127.0.0.1", port)) as client:
                client.get("/?mark")
            seen = b""
            while b"?mark" not in seen or not seen.rstrip().endswith((b"ms", b"\x1b[0m")):
                seen += os.read(master, 4096)
            assert (b"\x1b[" in seen) == has_colours, seen
            process.send_signal(signal.SIGTERM)
            assert process.wait(10 * galley.SLOW) == 0
        finally:
            process.kill()
            process.wait()
            os.close(master)


# ---- the end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(serve, folder, number):
    server = serve(root=folder({"index.html": "x"}))
    assert server.get("/").status == 200
    server.signal(number)
    assert server.wait() == 0
    assert "stopping" in server.stderr


def slow_download(server):
    """A client that has begun to read a large file and does not go on."""
    client = server.connect(receive_buffer=4096)
    client.send(galley.request_bytes("/big"))
    client.read_bytes(1000)
    return client


BIG = {"big": b"x" * (16 << 20)}


def test_a_second_signal_ends_at_once_with_3(serve, folder):
    server = serve(root=folder(BIG), expect_exit=3)
    with slow_download(server) as client:
        server.signal(signal.SIGTERM)
        server.wait_output("stopping")
        client.read_bytes(1000)  # the drain lets it go on
        server.signal(signal.SIGTERM)
        assert server.wait() == 3
    assert "ending at once" in server.stderr


def test_a_drain_that_takes_too_long_ends_with_3(serve, folder):
    server = serve("--drain-timeout=300ms", root=folder(BIG), expect_exit=3)
    with slow_download(server):
        server.signal(signal.SIGTERM)
        assert server.wait() == 3
    assert re.search(r"^galley: .*1 ", server.stderr, re.M), server.stderr  # says how many were cut


def test_a_drain_finishes_the_download_and_ends_with_0(serve, folder):
    server = serve(root=folder(BIG))
    with slow_download(server) as client:
        server.signal(signal.SIGTERM)
        server.wait_output("stopping")
        assert len(client.read_until_close()) > (16 << 20) - 1100
        assert server.wait() == 0


@only("plain", because="with TLS it reads the certificates again: test_tls.py")
def test_hup_is_said_and_ignored(serve, folder):
    server = serve(root=folder({"index.html": "x"}))
    server.signal(signal.SIGHUP)
    server.wait_output("SIGHUP is ignored")
    assert server.get("/").status == 200


def test_usr1_without_a_log_is_harmless(serve, folder):
    server = serve(root=folder({"index.html": "x"}))
    server.signal(signal.SIGUSR1)
    server.wait_output("no access log")
    assert server.get("/").status == 200


def test_usr1_reopens_after_a_rename(serve, folder, tmp_path):
    log, old = tmp_path / "log", tmp_path / "log.1"
    server = serve(f"--access-log={log}", root=folder({"index.html": "x"}))
    server.get("/?before")
    galley.wait_until(lambda: "before" in log.read_text(), what="the first line")
    log.rename(old)
    server.signal(signal.SIGUSR1)
    galley.wait_until(log.exists, what="the new file")
    server.get("/?after")
    server.stop()
    assert "after" in log.read_text() and "after" not in old.read_text()


def test_the_reader_of_stdout_may_go(folder):
    """`galley | head -1`: the write fails, the server goes on."""
    process = subprocess.Popen([galley.program_path(), "--listen=127.0.0.1:0", "--access-log=-",
                                folder({"index.html": "x"})],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        port = int(re.search(rb"127\.0\.0\.1:(\d+)/", process.stdout.readline())[1])
        process.stdout.close()
        for _ in range(3):
            with galley.Client(("127.0.0.1", port)) as client:
                assert client.get("/").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10 * galley.SLOW) == 0
    finally:
        process.kill()
        process.wait()
