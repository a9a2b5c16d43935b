"""examples/book, the rows about the pool of threads. The pool itself is tested in tests/unit/pool and tests/stress/pool;
here the program shows it."""

import shutil
import subprocess

import pytest

import book
import galley

WORKERS = 4


def test_row_08_a_pool_of_no_threads_is_an_error_with_a_sentence():
    done = book.run("--workers=0", book.FOLDER)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("book: ") and "thread" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [1, 3])
def test_row_08_a_pool_has_the_size_that_was_asked_for(example, number):
    server = example("book", "--port=0", f"--workers={number}", book.FOLDER)
    server.get("/")
    server.stop()
    assert sorted(book.worker_lines(server)) == [("end", worker) for worker in range(number)]


def test_row_09_a_thread_that_cannot_be_made_is_reported():
    """Address space for some of 1000 stacks, not for all: those made are joined, and a sentence says what happened."""
    if not shutil.which("prlimit"):
        pytest.skip("needs prlimit (util-linux)")
    program = galley.built("examples", "book")
    if book.is_sanitized(program):
        pytest.skip("a sanitizer reserves more address space than can be limited; tests/unit/pool has the case")
    command = ["prlimit", f"--as={512 << 20}", program, "--port=0", "--workers=1000", book.FOLDER]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30 * galley.SLOW)
    assert done.returncode == 1, done
    assert done.stderr.startswith("book: ") and "thread" in done.stderr, done
    assert done.stdout == "", "no worker may have been heard of"


def test_row_10_each_job_runs_once_on_whichever_worker_is_free(example):
    server = example("book", "--port=0", "--sleep=0", book.FOLDER)
    clients = [server.connect() for _ in range(10)]
    for _ in range(10):
        for client in clients:
            client.send(galley.request_bytes("/sleep"))
        for client in clients:
            assert client.read_response().body == book.PAGE
    for client in clients:
        client.close()
    server.stop()
    assert book.count(server, "start") == book.count(server, "done") == 100


def test_row_10_a_free_worker_takes_what_the_busy_ones_cannot(example):
    server = example("book", "--port=0", book.sleep_for(1), f"--workers={WORKERS}", book.FOLDER)
    sleepers = book.send_sleepers(server, WORKERS)
    for sleeper in sleepers:
        assert sleeper.read_response().status == 200
        sleeper.close()
    started = [worker for what, worker in book.worker_lines(server) if what == "start"]
    assert sorted(started) == list(range(WORKERS))


def test_row_11_workers_have_numbers_and_say_what_they_do(example):
    server = example("book", "--port=0", "--sleep=0", f"--workers={WORKERS}", book.FOLDER)
    server.get("/sleep")
    found = server.wait_output(r"Worker (\d+) got a job; executing\.")
    assert int(found[1]) in range(WORKERS)
    server.wait_output(rf"Worker {found[1]} has done its job\.")


def test_row_12_two_slow_jobs_overlap(example):
    """A worker that held the queue's lock while it ran its job would let the others start one after the other."""
    server = example("book", "--port=0", book.sleep_for(2), "--workers=2", book.FOLDER)
    sleepers = book.send_sleepers(server, 2)
    for sleeper in sleepers:
        assert sleeper.read_response().status == 200
        sleeper.close()
    book.wait_done(server, 2)
    assert [what for what, _ in book.worker_lines(server)] == ["start", "start", "done", "done"]


def test_row_15_the_pool_works_without_a_web_server(folder):
    """examples/hash_files: the same pool, other work, libgalley-pool alone."""
    program = galley.built("examples", "hash_files")
    top = folder({f"{number}.bin": bytes([number]) * 50_000 for number in range(20)})
    (top / "same.bin").write_bytes((top / "7.bin").read_bytes())
    paths = sorted(top.iterdir())
    done = subprocess.run([program, *paths], capture_output=True, text=True, timeout=30 * galley.SLOW)
    assert done.returncode == 0, done
    sums = {}
    for line in done.stdout.splitlines():
        value, path = line.split(None, 1)
        sums[galley.Path(path).name] = value
    assert set(sums) == {path.name for path in paths}
    assert sums["same.bin"] == sums["7.bin"]
    assert len(set(sums.values())) == 20
