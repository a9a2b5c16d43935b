"""examples/book, the rows about serving: the exercise from which galley comes, one test a row. The row's number is in
the test's name. Nothing here is judged by a stopwatch: "not delayed" means "before any sleeper was answered"."""

import re
import statistics
import subprocess
import time

import pytest

import book
import galley
from ways import only


def test_row_01_listens_on_127_0_0_1_7878_by_default(launch):
    """Somebody may have that port; then the sentence says so, and names the address all the same."""
    server = launch([galley.built("examples", "book"), book.FOLDER], expect_exit=None, ready=False)
    server.wait_output(r"127\.0\.0\.1:7878")
    assert "Address already in use" in server.output or "http://127.0.0.1:7878/" in server.output


def test_row_01_reports_each_request(example):
    server = example("book", "--port=0", book.FOLDER)
    server.get("/")
    server.get("/something")
    server.stop()
    lines = re.findall(r"^\d\d:\d\d:\d\d (\d{3}) (\S+) (\S+) ", server.stdout, re.M)
    assert lines == [("200", "GET", "/"), ("404", "GET", "/something")]


def test_row_02_log_level_debug_shows_the_request_head(serve, folder):
    server = serve("--log-level=debug", root=folder({"index.html": "x"}))
    with server.connect() as client:
        client.send(b"GET /?q=seen HTTP/1.1\r\nHost: example.org\r\nX-Shown: yes\r\n\r\n")
        assert client.read_response().status == 200
    for line in ("GET /?q=seen HTTP/", "Host: example.org", "X-Shown: yes"):
        server.wait_output("(?i)> " + re.escape(line))  # over HTTP/2 names are in lower case (RFC 9113 §8.2)
    server.stop()
    assert len(re.findall(r"> GET /\?q=seen HTTP/(1\.1|2)$", server.output, re.M)) == 1


def test_row_02_credentials_are_not_shown(serve, folder):
    server = serve("--log-level=debug", root=folder({"index.html": "x"}))
    server.get("/", {"Authorization": "Bearer hush", "cookie": "id=hush", "X-End": "yes"})
    server.wait_output("(?i)X-End: yes")
    assert "> authorization: (not shown)" in server.output.lower() and "hush" not in server.output


def test_row_02_without_debug_no_head_is_shown(serve, folder):
    server = serve(root=folder({"index.html": "x"}))
    server.get("/", {"X-Secret": "not for logs"})
    server.stop()
    assert "not for logs" not in server.output


def test_row_03_answers_200_with_length_and_the_page_from_its_file(example):
    response = example("book", "--port=0", book.FOLDER).get("/")
    assert response.head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert response.header("Content-Length") == str(len(book.PAGE))
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert response.body == book.PAGE


def test_row_03_the_page_is_read_from_the_file_as_it_is_now(example, folder):
    top = folder({"hello.html": "one", "404.html": "none"})
    server = example("book", "--port=0", top)
    assert server.get("/").body == b"one"
    (top / "hello.html").write_text("two!")
    galley.wait_until(lambda: server.get("/").body == b"two!", what="the new page")


@pytest.mark.parametrize(
    "method, target",
    [("GET", "/something"), ("GET", "/hello.html"), ("GET", "/sleep/"), ("GET", "/%2F"), ("POST", "/"), ("PUT", "/x"),
     ("DELETE", "/sleep"), ("OPTIONS", "/")],
)
def test_row_04_anything_but_get_of_the_page_is_404_with_its_page(example, method, target):
    response = example("book", "--port=0", book.FOLDER).get(target, method=method)
    assert response.head.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert response.body == book.MISSING


@pytest.mark.parametrize("garbage", [b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"hello?\r\n\r\n", b"\x16\x03\x01\r\n\r\n"])
def test_row_04_what_is_not_well_formed_gets_no_page(example, garbage):
    """The texts answer 404 to this too; galley says 400 and closes (RFC 9112 §3.2), which is safer."""
    answer = example("book", "--port=0", book.FOLDER).exchange(garbage)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Hi from galley" not in answer


def test_row_05_sleep_does_not_delay_others(example, record_property):
    """Four workers, four sleepers: / is answered, many times, before any of them; the fifth sleeper waits its turn."""
    server = example("book", "--port=0", book.FOLDER)  # five seconds, as in the text
    asked = time.monotonic()
    sleepers = book.send_sleepers(server, 4)
    book.wait_started(server, 4)
    sleepers += book.send_sleepers(server, 1)
    times_ms = []
    with server.connect() as client:
        for _ in range(50):
            started = time.monotonic()
            assert client.get("/").body == book.PAGE
            times_ms.append((time.monotonic() - started) * 1000)
    assert [what for what, _ in book.worker_lines(server)] == ["start"] * 4
    for sleeper in sleepers:
        sleeper.expect_open(0.001)  # not one has been answered
    median = statistics.median(times_ms)
    record_property("median_ms_beside_four_sleepers", round(median, 3))
    print(f"GET / beside four sleepers: median {median:.2f} ms, longest {max(times_ms):.2f} ms")
    for sleeper in sleepers:
        assert sleeper.read_response().body == book.PAGE
        assert time.monotonic() - asked >= 5
        sleeper.close()
    book.wait_done(server, 5)
    order = [what for what, _ in book.worker_lines(server)]
    assert order[:4] == ["start"] * 4 and order[4] == "done", "the fifth must wait for a worker"
    assert order.count("start") == order.count("done") == 5


def test_row_05_a_sleeper_that_waits_too_long_is_refused(example):
    """book lets them wait for a minute; --patience shows what a server does when the time is up."""
    server = example("book", "--port=0", "--workers=1", book.sleep_for(4), "--patience=1", book.FOLDER)
    (first,) = book.send_sleepers(server, 1)
    book.wait_started(server, 1)
    (second,) = book.send_sleepers(server, 1)
    refusal = second.read_response()
    assert refusal.status == 503
    assert int(refusal.header("Retry-After")) >= 1
    assert first.read_response().body == book.PAGE
    assert book.count(server, "start") == 1, "a job that was refused must never run"
    first.close()
    second.close()


def test_row_06_with_one_worker_sleepers_wait_for_each_other(example):
    server = example("book", "--port=0", "--loops=1", "--workers=1", "--sleep=1", book.FOLDER)
    sleepers = book.send_sleepers(server, 2)
    for sleeper in sleepers:
        assert sleeper.read_response().status == 200
        sleeper.close()
    book.wait_done(server, 2)
    assert [what for what, _ in book.worker_lines(server)] == ["start", "done", "start", "done"]


def test_row_07_many_connections_need_no_more_threads(example):
    """The 10,000 of the row are in the scale tests; here the reason: a connection has no thread."""
    server = example("book", "--port=0", book.FOLDER)
    server.get("/")
    before = server.threads()
    clients = [server.connect() for _ in range(250)]
    for client in clients:
        assert client.get("/").status == 200
    during = server.threads()
    for client in clients:
        client.expect_open(0.0005)
        client.close()
    assert during == before
    assert before < 20


def test_row_13_shutdown_finishes_what_runs_and_joins_every_worker(example):
    server = example("book", "--port=0", book.sleep_for(2), book.FOLDER)
    sleepers = book.send_sleepers(server, 4)
    book.wait_started(server, 4)
    server.signal(galley.signal.SIGTERM)
    refused = False
    while not refused:
        try:
            server.connect().close()
        except book.REFUSED:
            refused = True
    assert book.count(server, "done") == 0, "new clients must be refused while the old ones are served"
    for sleeper in sleepers:
        response = sleeper.read_response()
        assert response.body == book.PAGE
        assert response.header("Connection") == "close"
        sleeper.expect_closed()
    assert server.wait() == 0
    lines = book.worker_lines(server)
    assert [what for what, _ in lines] == ["start"] * 4 + ["done"] * 4 + ["end"] * 4
    assert sorted(worker for what, worker in lines if what == "end") == [0, 1, 2, 3]


def test_row_13_shutdown_runs_what_is_queued(example):
    server = example("book", "--port=0", "--loops=1", "--workers=1", "--sleep=1", book.FOLDER)
    sleepers = book.send_sleepers(server, 3)
    book.wait_started(server, 1)
    with server.connect() as client:  # answered after the loop has read the sleepers' requests
        assert client.get("/").status == 200
    server.signal(galley.signal.SIGINT)
    for sleeper in sleepers:
        assert sleeper.read_response().body == book.PAGE
        sleeper.close()
    assert server.wait() == 0
    assert [what for what, _ in book.worker_lines(server)] == ["start", "done"] * 3 + ["end"]


def test_row_13_a_second_signal_ends_at_once(example):
    server = example("book", "--port=0", "--sleep=600", book.FOLDER, expect_exit=1)
    (sleeper,) = book.send_sleepers(server, 1)
    book.wait_started(server, 1)
    server.signal(galley.signal.SIGTERM)
    galley.wait_until(lambda: not can_connect(server), what="the listener is closed")
    server.signal(galley.signal.SIGTERM)
    assert server.wait() == 1
    assert "stopped at once: 1 request was cut" in server.stderr
    sleeper.expect_closed(allow_reset=True)
    sleeper.close()


def can_connect(server):
    try:
        server.connect().close()
    except book.REFUSED:
        return False
    return True


@only("plain", because="what is pipelined behind the last answer has none")
@pytest.mark.parametrize("start", ["book", "galley"])
def test_row_14_serves_two_requests_then_shuts_down(example, serve, folder, start):
    if start == "book":
        server = example("book", "--port=0", "--max-requests=2", book.FOLDER)
    else:
        server = serve("--max-requests=2", root=folder({"index.html": "x"}))
    with server.connect() as client:
        client.send(galley.request_bytes() * 3)  # the third has no answer, even on a connection that is there
        assert client.read_response().status == 200
        last = client.read_response()
        assert (last.status, last.header("Connection")) == (200, "close")
        client.expect_closed(allow_reset=True)
    assert server.wait() == 0
    with pytest.raises(ConnectionRefusedError):
        server.connect()


def test_row_18_every_failure_has_a_sentence(folder, example):
    cases = {
        ("--workers=0", book.FOLDER): (1, "thread"),
        ("/no/such/folder",): (1, "/no/such/folder: No such file or directory"),
        ("--port=70000",): (2, "what is --port=70000?"),
        ("--port=",): (2, "what is --port=?"),
        ("--colour=red",): (2, "what is --colour=red?"),
        ("--loops=9999", book.FOLDER): (1, "loops"),
    }
    for arguments, (code, sentence) in cases.items():
        done = book.run(*arguments)
        assert (done.returncode, sentence in done.stderr) == (code, True), done
    taken = example("book", "--port=0", book.FOLDER)
    done = book.run(f"--port={taken.port}", book.FOLDER)
    assert done.returncode == 1
    assert f"listen 127.0.0.1:{taken.port}: Address already in use" in done.stderr


def test_row_18_a_page_that_cannot_be_read_is_an_answer_not_a_crash(example, folder):
    server = example("book", "--port=0", folder({}))
    assert server.get("/").status == 404
    assert server.get("/sleepless").status == 404
    assert server.get("/").status == 404


@pytest.mark.parametrize("loops", [1, 3])
def test_row_20_event_loops_one_or_several(example, loops):
    """Asynchronous I/O on one thread, and on several: a thread a loop, and each client is served by one of them."""
    server = example("book", "--port=0", f"--loops={loops}", book.FOLDER)
    server.get("/")
    clients = [server.connect() for _ in range(60)]
    for client in clients:
        client.send(galley.request_bytes())
    for client in clients:
        assert client.read_response().body == book.PAGE
        client.close()
    names = book.thread_names(server)
    assert len([name for name in names if "loop" in name]) == loops - 1, names  # the first is the main thread


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_row_20_fork_join_on_the_pool(threads):
    """A task for each call; fork/join and serial agree, and with several threads some tasks move."""
    program = galley.built("examples", "fib")
    run = subprocess.run([program, f"--threads={threads}", "24"], capture_output=True, text=True, timeout=60 * galley.SLOW, check=True)
    assert re.findall(r"fib\(24\) = (\d+)", run.stdout) == ["46368", "46368"]
    assert re.search(r"^ +\d+ tasks were taken by another thread$", run.stdout, re.M)


def test_row_21_several_connections_keep_alive_and_an_icon(example):
    """What browsers do at once, by hand; test_browser.py does it with a real one."""
    server = example("book", "--port=0", "--sleep=1", book.FOLDER)
    (slow,) = book.send_sleepers(server, 1)
    spare = server.connect()  # browsers open connections that they may never use
    with server.connect() as client:
        assert client.get("/").body == book.PAGE
        assert client.get("/favicon.ico").status == 404
        assert client.get("/").body == book.PAGE
    assert slow.read_response().body == book.PAGE
    assert spare.get("/").body == book.PAGE
    slow.close()
    spare.close()
