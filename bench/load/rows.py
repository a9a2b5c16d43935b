"""What bench/load/run measures: one line of the tables each, and what a client sends for it. Imported by run."""

from dataclasses import dataclass

import www

GALLEY = ("galley", "galley_epoll", "galley_uring")
FILES = (*GALLEY, "nginx", "h2o", "lighttpd", "caddy")
FLOORS = ("epoll", "uring")
HANDLERS = ("handlers", "handlers_epoll", "handlers_uring")
WORKERS, WORK_MS = 4, 10  # of bench_handlers
CAPACITY = WORKERS * 1000 // WORK_MS  # requests a second of its /work
UPLOAD_BYTES = 20_000_000
ENCODINGS = "gzip, deflate, br"
CURVE = (1, 8, 64, 512, 2048, 4096, 10_000)
QUICK_CURVE = (1, 64, 4096)
HELD = (1000, 2500, 5000, 7500, 10_000)
QUICK_HELD = (1000, 2000)


@dataclass(frozen=True)
class Ask:
    """One request, and what must come back."""
    path: str
    status: int = 200
    method: str = "GET"
    headers: tuple = ()
    file: str = ""  # below the served folder: the answer's body must be its content (or part)
    part: tuple = ()  # (from, to) of it
    encoded: bool = False  # must be compressed
    is_revalidation: bool = False  # If-None-Match with the entity tag of a first answer
    body_bytes: int = 0  # of the request


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    asks: tuple = ()
    columns: tuple = FILES  # names of servers.KINDS
    variant: str = ""  # of their configuration, which has a process of its own
    rounds: int = 5  # of schedule.ROUNDS: more where a goal is close, or the figure unsteady
    others: int = 0  # rounds of columns that no goal is judged by; default: half
    group: str = ""  # rows that take turns column by column
    span: float = 1  # a measurement is so many times as long as the usual one
    connections: int = 64
    depth: int = 1
    closes: bool = False
    kind: str = "load"  # a function of measure.py
    is_own_client: bool = False  # wrk cannot do it
    is_curve: bool = False

    def variant_for(self, kind):
        """A floor reads no header: it must be told to close."""
        return "close" if self.closes and kind.is_floor else self.variant


def file_row(name, title, path, **more):
    return Row(name, title, (Ask(f"/{path}", file=path),), **more)


SMALL = Ask(f"/{www.SMALL}", file=www.SMALL)
SMALL_ROWS = [
    Row("small", "173-byte page, keep-alive", (SMALL,), FILES + FLOORS, rounds=15, group="small"),
    Row("log", "the same, JSON access log to a file", (SMALL,), GALLEY, variant="log", rounds=15, group="small"),
    Row("pipelined", "the same, 16 pipelined", (SMALL,), FILES + FLOORS, depth=16),
    Row("close", "one connection a request", (Ask(f"/{www.SMALL}", file=www.SMALL, headers=("Connection: close",)),),
        FILES + FLOORS, closes=True, rounds=15),
]
FILE_ROWS = [
    file_row("1k", "1 kB file", "1k.bin"),
    file_row("10k", "10 kB file", "10k.bin", rounds=8),
    file_row("100k", "100 kB file", "100k.bin", rounds=12),
    file_row("1m", "1 MB file", "1m.bin", rounds=12, span=2),
    Row("range", "1 kB of a 100 kB file", (Ask("/100k.bin", 206, headers=("Range: bytes=5000-5999",), file="100k.bin",
                                               part=(5000, 6000)),)),
    Row("304", "304, by entity tag", (Ask("/10k.bin", 304, is_revalidation=True),)),
    Row("404", "404", (Ask("/nothing-is-here.html", 404),)),
    Row("mix", "20 files, precompressed where text",
        tuple(Ask(f"/mix/{name}", file=f"mix/{name}", encoded=name.endswith(www.TEXT),
                  headers=(f"Accept-Encoding: {ENCODINGS}",)) for name, _ in www.MIX), rounds=8),
]
HANDLER_ROWS = [
    Row("loop", "handler on the loop", (Ask("/loop"),), HANDLERS, "handlers", rounds=6, group="handlers"),
    Row("pool", "handler on the pool", (Ask("/pool"),), HANDLERS, "handlers", rounds=6, group="handlers"),
    Row("pieces", "upload of 20 MB, in pieces", (Ask("/pieces", 201, "PUT", body_bytes=UPLOAD_BYTES),), HANDLERS,
        "handlers", connections=4, is_own_client=True, span=2),
    Row("spool", "upload of 20 MB, to a file", (Ask("/upload/x", 201, "PUT", body_bytes=UPLOAD_BYTES),), HANDLERS,
        "handlers", connections=4, is_own_client=True, span=2, group="spool"),
    Row("spool_nginx", "upload of 20 MB, to a file (nginx: DAV)",
        (Ask("/upload/x", 204, "PUT", body_bytes=UPLOAD_BYTES),), ("nginx",), connections=4, is_own_client=True, span=2,
        group="spool"),
    Row("events", "an event to each of 1000 listeners", (Ask("/events"), Ask("/events", method="POST")), HANDLERS,
        "handlers", connections=1000, kind="events", is_own_client=True),
    Row("sleepers", "a page while every worker sleeps", (SMALL, Ask("/sleep")), HANDLERS, "sleepers",
        connections=8, kind="beside_sleepers", is_own_client=True, rounds=8),
    Row("overload", "twice what a pool can do", (Ask("/work"),), HANDLERS, "overload", kind="overload",
        is_own_client=True, rounds=4),
]
LIFE_ROWS = [
    Row("life", "start and stop", (SMALL,), FILES, kind="life", rounds=6, others=2),
    Row("held", "idle connections", (SMALL,), FILES, kind="held", rounds=5, others=1),
]


def curve_rows(points):
    return [Row(f"at{count}", f"{count} connections", (SMALL,), FILES[:-1] + FLOORS, connections=count,
                is_own_client=True, is_curve=True, rounds=6, group="curve", span=0.6) for count in points]


def all_rows(is_quick):
    return [*SMALL_ROWS, *FILE_ROWS, *HANDLER_ROWS, *LIFE_ROWS, *curve_rows(QUICK_CURVE if is_quick else CURVE)]
