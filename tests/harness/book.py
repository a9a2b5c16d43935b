"""What the tests of examples/book share: its lines, its sleepers, its files."""

import re
import subprocess

import galley

PAGE = (galley.ROOT / "examples/book/hello.html").read_bytes()
MISSING = (galley.ROOT / "examples/book/404.html").read_bytes()
FOLDER = galley.ROOT / "examples/book"

WORKER_LINE = re.compile(r"^(?:Worker (\d+) (got a job|has done)|Shutting down (worker) (\d+))", re.M)
REFUSED = (ConnectionRefusedError, ConnectionResetError)


def worker_lines(server):
    """[("start" | "done" | "end", worker), ...] in the order in which book said so."""
    kinds = {"got a job": "start", "has done": "done"}
    return [
        ("end", int(found[4])) if found[3] else (kinds[found[2]], int(found[1]))
        for found in WORKER_LINE.finditer(server.stdout)
    ]


def count(server, kind):
    return sum(1 for what, _ in worker_lines(server) if what == kind)


def send_sleepers(server, number):
    """So many clients that have asked for /sleep and have not read."""
    clients = []
    for _ in range(number):
        client = server.connect(timeout=30)
        client.send(galley.request_bytes("/sleep"))
        clients.append(client)
    return clients


def wait_started(server, number):
    galley.wait_until(lambda: count(server, "start") >= number, 10, f"{number} jobs started")


def wait_done(server, number):
    """A worker says it after the answer has gone."""
    galley.wait_until(lambda: count(server, "done") >= number, 10, f"{number} jobs done")


def sleep_for(seconds):
    """--sleep for a job that lasts while something else happens: so many seconds, more where all is slow."""
    return f"--sleep={max(seconds, round(galley.SLOW))}"


def is_sanitized(program):
    """Built with a sanitizer? These reserve so much address space that it cannot be limited."""
    content = program.read_bytes()
    return b"__asan_init" in content or b"__tsan_init" in content


def thread_names(server):
    """Names of the program's threads, in order."""
    tasks = galley.Path(f"/proc/{server.pid}/task")
    return sorted((task / "comm").read_text().strip() for task in tasks.iterdir())


def run(*arguments):
    """book with arguments that let it end by itself -> CompletedProcess."""
    command = [galley.built("examples", "book"), *[str(argument) for argument in arguments]]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30 * galley.SLOW
    )
