"""What bench/load/run measures: one line of the tables each, and what a client sends for it. Imported by run."""

from dataclasses import dataclass

import www
from goals import PEERS

GALLEY = ("galley", "galley_epoll", "galley_uring")
ALL = (*GALLEY, *PEERS)
# galley's own choice is one of the other two: all three only where what is sent is least.
FILES = ("galley", "galley_uring", *PEERS)
FLOORS = ("epoll", "uring")
HANDLERS = ("handlers", "handlers_uring")
WORKERS, WORK_MS = 4, 10  # of bench_handlers
CAPACITY = WORKERS * 1000 // WORK_MS  # requests a second of its /work
UPLOAD_BYTES = 20_000_000
ENCODINGS = "gzip, deflate, br"
CURVE = (1, 8, 64, 512, 2048, 4096, 10_000)
QUICK_CURVE = (1, 64, 4096)
HELD = (1000, 2500, 5000, 7500, 10_000)
QUICK_HELD = (1000, 2000)
HELD_TLS = (500, 1000, 2000)
QUICK_HELD_TLS = (200, 400)


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
    rounds: int = 8  # of schedule.ROUNDS, for what a goal compares: more where it is close, or the figure unsteady
    others: int = 0  # rounds of columns that no goal is judged by; default: few
    group: str = ""  # rows that take turns column by column
    span: float = 1  # a measurement is so many times as long as the usual one
    connections: int = 64
    depth: int = 1
    closes: bool = False
    kind: str = "load"  # a function of measure.py
    is_own_client: bool = False  # wrk cannot do it
    tls: str = ""  # version
    resumes: bool = False  # each handshake by a ticket
    settles: bool = False  # what is to be compressed may be so only after it was asked for
    is_h2: bool = False  # HTTP/2; depth: streams of a connection
    is_curve: bool = False

    def variant_for(self, kind):
        """A floor reads no header: it must be told to close."""
        return "close" if self.closes and kind.is_floor else self.variant


def file_row(name, title, path, **more):
    return Row(name, title, (Ask(f"/{path}", file=path),), **more)


def mix(folder):
    """Its 20 files."""
    return tuple(Ask(f"/{folder}/{name}", file=f"{folder}/{name}", encoded=name.endswith(www.TEXT),
                     headers=(f"Accept-Encoding: {ENCODINGS}",)) for name, _ in www.MIX)


SMALL = Ask(f"/{www.SMALL}", file=www.SMALL)
SMALL_ROWS = [
    Row("small", "173-byte page, keep-alive", (SMALL,), ALL + FLOORS, rounds=12, group="small"),
    Row("log", "the same, JSON access log to a file", (SMALL,), GALLEY, variant="log", rounds=12, group="small"),
    Row("pipelined", "the same, 16 pipelined", (SMALL,), ALL + FLOORS, depth=16),
    Row("close", "one connection a request", (Ask(f"/{www.SMALL}", file=www.SMALL, headers=("Connection: close",)),),
        ALL + FLOORS, closes=True, rounds=10),
]
FILE_ROWS = [
    file_row("1k", "1 kB file", "1k.bin"),
    file_row("10k", "10 kB file", "10k.bin"),
    file_row("100k", "100 kB file", "100k.bin"),
    file_row("1m", "1 MB file", "1m.bin", span=1.5),
    Row("range", "1 kB of a 100 kB file", (Ask("/100k.bin", 206, headers=("Range: bytes=5000-5999",), file="100k.bin",
                                               part=(5000, 6000)),)),
    Row("304", "304, by entity tag", (Ask("/10k.bin", 304, is_revalidation=True),)),
    Row("404", "404", (Ask("/nothing-is-here.html", 404),)),
    Row("mix", "20 files, precompressed where text", mix("mix")),
    Row("coded", "20 files, compressed on the fly where text", mix("plain"), variant="coded", settles=True),
    Row("cold", "their first answers", tuple(ask for ask in mix("plain") if ask.encoded), variant="coded", kind="cold"),
]
HANDLER_ROWS = [
    Row("loop", "handler on the loop", (Ask("/loop"),), HANDLERS, "handlers", group="handlers"),
    Row("pool", "handler on the pool", (Ask("/pool"),), HANDLERS, "handlers", group="handlers"),
    Row("pieces", "upload of 20 MB, in pieces", (Ask("/pieces", 201, "PUT", body_bytes=UPLOAD_BYTES),), HANDLERS,
        "handlers", connections=4, is_own_client=True, span=1.5),
    Row("spool", "upload of 20 MB, to a file", (Ask("/upload/x", 201, "PUT", body_bytes=UPLOAD_BYTES),), HANDLERS,
        "handlers", connections=4, is_own_client=True, span=1.5, group="spool"),
    Row("spool_nginx", "upload of 20 MB, to a file (nginx: DAV)",
        (Ask("/upload/x", 204, "PUT", body_bytes=UPLOAD_BYTES),), ("nginx",), connections=4, is_own_client=True, span=1.5,
        group="spool"),
    Row("events", "an event to each of 1000 listeners", (Ask("/events"), Ask("/events", method="POST")), HANDLERS,
        "handlers", connections=1000, kind="events", is_own_client=True),
    Row("sleepers", "a page while every worker sleeps", (SMALL, Ask("/sleep")), HANDLERS, "sleepers",
        connections=8, kind="beside_sleepers", is_own_client=True),
    Row("overload", "twice what a pool can do", (Ask("/work"),), HANDLERS, "overload", kind="overload",
        is_own_client=True, others=1),
]
LIFE_ROWS = [
    Row("life", "start and stop", (SMALL,), FILES, kind="life"),
    Row("held", "idle connections", (SMALL,), FILES, kind="held", others=1),
]


def tls_row(name, title, path, headers=(), **more):
    more = {"tls": "1.3", "columns": FILES, "variant": "tls", "is_own_client": True} | more
    return Row(name, title, (Ask(f"/{path}", file=path, headers=headers),), **more)


def handshakes(name, title, **more):
    return tls_row(name, title, www.SMALL, ("Connection: close",), closes=True, connections=16, **more)


TLS_ROWS = [
    tls_row("tls", "TLS: 173-byte page, keep-alive", www.SMALL),
    tls_row("tls100k", "TLS: 100 kB file", "100k.bin"),
    tls_row("tls1m", "TLS: 1 MB file", "1m.bin"),
    handshakes("shake", "TLS 1.3: a full handshake and a request"),
    handshakes("resumed", "TLS 1.3: a resumed handshake and a request", resumes=True),
    handshakes("resumed12", "TLS 1.2: a resumed handshake and a request", resumes=True, tls="1.2"),
    tls_row("h2", "HTTP/2: 173-byte page, 8 connections of 32 streams", www.SMALL, is_h2=True, connections=8, depth=32),
    tls_row("h2_100k", "HTTP/2: 100 kB file, 8 connections of 4 streams", "100k.bin", is_h2=True, connections=8, depth=4,
            rounds=2),
    tls_row("held_tls", "idle TLS connections", www.SMALL, kind="memory", connections=8),
]


def curve_rows(points):
    return [Row(f"at{count}", f"{count} connections", (SMALL,), FILES[:-1] + FLOORS, connections=count, is_own_client=True,
                is_curve=True, group="curve", span=0.6) for count in points]


def all_rows(is_quick):
    return [*SMALL_ROWS, *FILE_ROWS, *TLS_ROWS, *HANDLER_ROWS, *LIFE_ROWS, *curve_rows(QUICK_CURVE if is_quick else CURVE)]
