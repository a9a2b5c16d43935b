"""One measurement of one row on one server: {"cpu_us": ..., ...}. Every kind of row is a function here. Imported by
bench/load/run."""

import http.client
import json
import os
import signal
import statistics
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import rows
import wire

HERE = Path(__file__).resolve().parent
LIMIT_S = 60
TEARS = 0.01  # share of requests that wrk may have lost
STARTS = 3  # of one measurement of start and stop
MOST_WAITING = 2048  # requests of an open loop
SETTLED_S = 20  # for everything to be compressed
IDLE_NS = 10_000_000  # in 0.3 s
UNTIL_SEEN_S = 1.0  # an overload that has just begun may be a burst, which is not shed


class Bench:
    """What measurements need to know of the run."""

    def __init__(self, stable, build, options, cpu):
        self.stable, self.options, self.cpu = stable, options, cpu
        self.client = build / "bench/bench_client"
        self.requests = stable.work / "requests"
        self.others = stable.work / "requests-of-others"  # of a second client that runs beside the first
        self.seen = {}

    def look(self, row, server):
        """Checked answers to the row's requests; once a run, for servers do not change their minds."""
        key = row.name, server.kind.name, row.is_h2
        if key not in self.seen and row.is_h2:
            self.seen[key] = self.look_at_h2(row, server)
        elif key not in self.seen:
            if row.settles:
                self.settle(row, server)
            asks = row.asks[:1] if row.kind in ("life", "held", "memory", "beside_sleepers") else row.asks
            self.seen[key] = [wire.look(server.port, ask, self.stable.www, server.kind.is_floor, row.tls)
                              for ask in asks]
        return self.seen[key]

    def settle(self, row, server):
        """Until everything that is to be compressed comes so, and the server has nothing more to do for it."""
        limit = time.monotonic() + SETTLED_S
        for ask in row.asks:
            while ask.encoded and not wire.is_encoded(server.port, ask) and time.monotonic() < limit:
                time.sleep(0.02)
        before, now = 0, server.cpu_ns()
        while now - before > IDLE_NS and time.monotonic() < limit:
            time.sleep(0.3)
            before, now = now, server.cpu_ns()

    def look_at_h2(self, row, server):
        """What comes over HTTP/2 is what comes over HTTP/1.1, too."""
        kept = self.stable.work / "kept"
        seen = self.look(replace(row, is_h2=False), server)
        run_client(self, "h2", server, seen, replace(row, connections=1, depth=1), 0.001, "--keep", kept)
        if kept.read_bytes() != (self.stable.www / row.asks[0].file).read_bytes():
            raise wire.Wrong(f"{row.asks[0].path} has another content over HTTP/2")
        return seen

    def seconds(self, row):
        return self.options.seconds * row.span

    def pinned(self):
        os.sched_setaffinity(0, {self.cpu})


# ---- the measuring client and wrk ----

def run_checked(command, bench, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, preexec_fn=bench.pinned, **more)
    if done.returncode != 0:
        raise wire.Wrong((done.stderr.strip().splitlines() or ["failed"])[0])
    return json.loads(done.stdout.splitlines()[-1])


def run_client(bench, mode, server, seen, row, seconds, *more):
    """-> what bench_client says"""
    wire.write_requests(bench.requests, seen, 1 if row.is_h2 else row.depth)
    command = [bench.client, mode, str(server.port), bench.requests, "--connections", str(row.connections),
               "--depth", str(row.depth), "--seconds", str(seconds), "--pids", ",".join(map(str, server.pids())),
               *(["--closes"] if row.closes else []), *(["--tls", row.tls] if row.tls else []),
               *(["--resume"] if row.resumes else []), *map(str, more)]
    result = run_checked(command, bench)
    if mode in ("load", "h2"):
        wire.check_tls(row, result["tls"])
    return result


def figures(result):
    if result["requests"] == 0:
        raise wire.Wrong("no answers")
    found = {"cpu_us": result["cpu_ns"] / result["requests"] / 1000, "per_s": result["requests"] / result["seconds"]}
    # wrk says 0 for a percentile that it does not know.
    return found | {key: result[key] for key in ("p50_us", "p99_us") if result[key] > 0}


def run_wrk(bench, server, seen, row):
    paths = [ask.path for ask in row.asks]
    headers = [part for line in seen[0].headers for part in ("-H", line)]
    command = ["wrk", "-t1", f"-c{row.connections}", f"-d{max(1, round(bench.seconds(row)))}s", *headers, "-s",
               HERE / "requests.lua", f"http://127.0.0.1:{server.port}{paths[0]}", "--", str(row.depth), *paths]
    before = server.cpu_ns()
    result = run_checked(command, bench)
    result["cpu_ns"] = server.cpu_ns() - before
    refused = result["requests"] if row.asks[0].status >= 400 else 0
    if result["refused"] != refused:
        raise wire.Wrong(f"{result['refused']} answers of another status")
    if result["broken"] > result["requests"] * TEARS + row.connections:
        raise wire.Wrong(f"{result['broken']} connections broke")
    floor_bytes = statistics.mean(each.body_bytes for each in seen) * 0.9
    if result["bytes"] < floor_bytes * result["requests"]:
        raise wire.Wrong("answers were too short")
    return result | {"sent": result["requests"]}


def lines_of(log):
    """Once its writer is done: it writes at least every 50 ms."""
    before, now = -1, log.stat().st_size
    while before != now:
        time.sleep(0.12)
        before, now = now, log.stat().st_size
    with log.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def ready(bench, row, kind):
    """-> server, checked answers; None, None where there is no such server."""
    server = bench.stable.get(kind, row.variant_for(kind))
    return (server, bench.look(row, server)) if server else (None, None)


def load(bench, row, kind):
    server, seen = ready(bench, row, kind)
    if not server:
        return None
    log = server.folder / "access.log"
    if log.exists():
        os.truncate(log, 0)
    if bench.options.generator == "wrk" and not row.is_own_client:
        result = run_wrk(bench, server, seen, row)
    else:
        result = run_client(bench, "h2" if row.is_h2 else "load", server, seen, row, bench.seconds(row))
    found = figures(result)
    if row.tls:
        found["tls"] = result["tls"]
    if log.exists():
        found["logged"] = lines_of(log) / result["sent"]
    for name in ("body_bytes", "head_bytes", "head_fields"):
        found[name] = statistics.mean(getattr(each, name) for each in seen)
    return found


def events(bench, row, kind):
    server = bench.stable.get(kind, row.variant_for(kind))
    if not server:
        return None
    seen = [wire.Seen(wire.request_bytes(ask), 200, -1, ()) for ask in row.asks]
    return figures(run_client(bench, "events", server, seen, row, bench.seconds(row)))


def overload(bench, row, kind):
    """Requests that are due at fixed times, whatever became of those before: a quarter of what the pool can do, then
    twice as much as it can."""
    server, seen = ready(bench, row, kind)
    if not server:
        return None
    many = replace(row, connections=MOST_WAITING)
    seen = [replace(each, status=0, body_bytes=-1) for each in seen]
    seconds = max(0.5, 4 * bench.seconds(row))
    fits = run_client(bench, "open", server, seen, many, seconds, "--rate", rows.CAPACITY / 4)
    over = run_client(bench, "open", server, seen, many, seconds, "--rate", 2 * rows.CAPACITY, "--warm-up",
                      UNTIL_SEEN_S)
    if fits["refused"] or not (over["served"] and over["refused"]):
        raise wire.Wrong(f"{fits['refused']} refused of a load that fits, {over['refused']} of twice what fits")
    return {"p50_us": over["p50_us"], "p99_us": over["p99_us"], "p99_alone_us": fits["p99_us"],
            "refused_p50_ms": over["refused_p50_us"] / 1000, "refused_p99_ms": over["refused_p99_us"] / 1000,
            "refused_share": over["refused"] / over["requests"],
            "kept_share": over["served"] / over["seconds"] / rows.CAPACITY}


# ---- what others feel ----

def beside(bench, row, server, seen, disturb):
    """p99 of a working client alone, and while `disturb` (a context manager's two functions) goes on."""
    seconds = bench.seconds(row)
    alone = figures(run_client(bench, "load", server, seen[:1], row, seconds))
    begin, end = disturb
    begin()
    try:
        together = figures(run_client(bench, "load", server, seen[:1], row, seconds))
    finally:
        end()
    return {"p99_us": together["p99_us"], "p99_alone_us": alone["p99_us"], "cpu_us": together["cpu_us"],
            "cpu_alone_us": alone["cpu_us"]}


def beside_sleepers(bench, row, kind):
    """As many requests for a handler that sleeps as there are workers, each again when it is answered. (More than
    that would wait longer than the server lets anybody wait, and be refused.)"""
    server, seen = ready(bench, row, kind)
    if not server:
        return None
    asking = []

    def begin():
        wire.write_requests(bench.others, [wire.Seen(wire.request_bytes(row.asks[1]), 200, -1, ())])
        asking.append(subprocess.Popen(
            [bench.client, "load", str(server.port), bench.others, "--connections", str(rows.WORKERS), "--seconds",
             str(LIMIT_S)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=bench.pinned))
        time.sleep(0.15)

    def end():
        ended = asking[0].poll()
        asking[0].kill()
        said = asking[0].communicate()[1]
        if ended is not None:
            raise wire.Wrong(f"the workers did not sleep: {said.strip()}")

    return beside(bench, row, server, seen, (begin, end))


# ---- first answers ----

def cold(bench, row, kind):
    """Times to the whole answer of each file's first request to a new server, and how many of them were compressed. One
    connection, for connecting is not what is asked."""
    server = bench.stable.start(kind, row.variant)
    if not server:
        return None
    try:
        server.wait_until_it_listens()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        wire.ask_on(connection, rows.SMALL)
        took, coded = [], 0
        for ask in row.asks:
            begin = time.perf_counter()
            answer, body = wire.ask_on(connection, ask)
            took.append((time.perf_counter() - begin) * 1000)
            wire.check_body(replace(ask, encoded=False), answer, body, bench.stable.www)
            coded += bool(answer.headers.get("Content-Encoding"))
        connection.close()
        return {"first_ms": statistics.mean(took), "first_worst_ms": max(took), "first_coded": coded / len(took)}
    finally:
        server.stop()


# ---- memory ----

def anonymous_bytes(server):
    """Memory of its own that a server's processes use: what they allocated, not what they map."""
    total = 0
    for pid in server.pids():
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Anonymous:", "Swap:")):
                total += int(line.split()[1]) * 1024
    return total


def hold(client, count):
    client.stdin.write(f"{count}\n")
    client.stdin.flush()
    if not client.stdout.readline():
        raise wire.Wrong(f"cannot hold {count} connections: {client.stderr.read().strip()}")


def start_holding(bench, row, server, seen, count):
    wire.write_requests(bench.others, seen)
    return subprocess.Popen(
        [bench.client, "hold", str(server.port), bench.others, "--connections", str(count),
         *(["--tls", row.tls] if row.tls else [])], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=bench.pinned)


def memory_figures(memory):
    """memory: {connections: bytes}"""
    most = max(memory)
    found = {"each_bytes": (memory[most] - memory[0]) / most, "total_mb": memory[most] / 1e6,
             "curve": {str(count): value for count, value in memory.items()}}
    first_half = memory.get(most // 2, 0) - memory[0]
    if first_half > 0:
        found["second_half"] = (memory[most] - memory[0] - first_half) / first_half
    return found


@contextmanager
def holding(bench, row, kind, points, seconds):
    """A new server that has worked a little, and a client that can hold so many: -> server, checked answers, what adds
    idle connections up to each point and keeps the memory; None where there is no such server."""
    server = bench.stable.start(kind, row.variant)
    if not server:
        yield None
        return
    client = None
    try:
        server.wait_until_it_listens()
        seen = bench.look(row, server)
        run_client(bench, "load", server, seen, row, seconds)
        client = start_holding(bench, row, server, seen, points[-1])
        found = {0: anonymous_bytes(server)}

        def fill():
            for count in points:
                hold(client, count)
                time.sleep(0.05)
                found[count] = anonymous_bytes(server)
            return found

        yield server, seen, fill
    finally:
        if client:
            client.communicate()
        server.stop()


def held(bench, row, kind):
    """Memory by the number of idle connections, and what a client beside them feels."""
    points = [count for count in (rows.QUICK_HELD if bench.options.quick else rows.HELD)
              if count <= kind.most_connections()]
    with holding(bench, row, kind, points, 0.2) as held_here:
        if not held_here:
            return None
        server, seen, fill = held_here
        found = {}
        few = rows.Row("beside", "", row.asks, connections=8)
        result = beside(bench, few, server, seen, (lambda: found.update(fill()), lambda: None))
        return result | memory_figures(found)


def memory(bench, row, kind):
    """Memory of idle connections; nobody works beside them."""
    points = rows.QUICK_HELD_TLS if bench.options.quick else rows.HELD_TLS
    with holding(bench, row, kind, points, 0.1) as held_here:
        return memory_figures(held_here[2]()) if held_here else None


# ---- start and stop ----

def one_life(bench, row, kind):
    """From the call that starts it to its first answer; from the signal to its end. -> seconds, seconds"""
    server = bench.stable.start(kind, row.variant)
    if not server:
        return None
    try:
        server.wait_until_it_listens()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", row.asks[0].path)
        status = connection.getresponse().status
        started = time.perf_counter() - server.started_s
        if status != 200:
            raise wire.Wrong(f"status {status}")
        connection.close()
        time.sleep(0.05)
    finally:
        stopped = server.stop()
    if server.process.returncode not in (0, -signal.SIGTERM):
        raise wire.Wrong(f"exits with {server.process.returncode}")
    return started, stopped


def life(bench, row, kind):
    lives = [one_life(bench, row, kind) for _ in range(STARTS)]
    if not all(lives):
        return None
    return {"start_ms": statistics.median(started for started, _ in lives) * 1000,
            "stop_ms": statistics.median(stopped for _, stopped in lives) * 1000}


KINDS = {"load": load, "events": events, "beside_sleepers": beside_sleepers, "overload": overload, "held": held,
         "memory": memory, "life": life, "cold": cold}


def measure(bench, row, kind):
    """-> figures; {"failed": why}; None where there is no such thing."""
    try:
        return KINDS[row.kind](bench, row, kind)
    except (wire.Wrong, OSError, subprocess.SubprocessError, ValueError, http.client.HTTPException) as problem:
        return {"failed": str(problem).splitlines()[0][:80] if str(problem) else type(problem).__name__}
