"""What galley is to reach, as ratios of one run. Each goal compares what was measured in the same round, and takes the
median over the rounds: a machine that is busy for a while slows both. Imported by bench/load/run."""

import statistics
from dataclasses import dataclass

PEERS = ("nginx", "h2o", "lighttpd", "caddy")


@dataclass(frozen=True)
class Goal:
    row: str
    limit: float
    text: str  # what is compared
    others: tuple = ()  # the best of these columns; none: the figure itself
    figure: str = "cpu_us"
    other_row: str = ""  # default: the same
    other_figure: str = ""  # default: the same
    unit: str = "x"
    is_difference: bool = False


GOALS = [
    Goal("small", 1.10, "small page / blind epoll", ("epoll",)),
    Goal("small", 0.90, "small page / h2o", ("h2o",)),
    Goal("small", 0.90, "small page / lighttpd", ("lighttpd",)),
    Goal("small", 0.70, "small page / nginx", ("nginx",)),
    Goal("pipelined", 2.00, "16 pipelined / blind epoll", ("epoll",)),
    Goal("pipelined", 0.25, "16 pipelined / h2o", ("h2o",)),
    Goal("10k", 0.90, "10 kB / best peer", PEERS),
    Goal("100k", 0.90, "100 kB / best peer", PEERS),
    Goal("1m", 0.90, "1 MB / best peer", PEERS),
    Goal("close", 1.05, "one connection a request / blind epoll", ("epoll",)),
    Goal("close", 1.00, "one connection a request / best peer", PEERS),
    Goal("mix", 0.80, "20 files / nginx", ("nginx",)),
    Goal("held", 400, "user memory of an idle connection", figure="each_bytes", unit="bytes"),
    Goal("held", 1.10, "p99 beside idle connections / without", ("galley",), "p99_us", other_figure="p99_alone_us"),
    Goal("pool", 2.00, "handler on the pool / on the loop", ("galley",), other_row="loop"),
    Goal("sleepers", 1.10, "p99 while all workers sleep / without", ("galley",), "p99_us",
         other_figure="p99_alone_us"),
    Goal("life", 20, "start to first answer", figure="start_ms", unit="ms"),
    Goal("life", 20, "stop", figure="stop_ms", unit="ms"),
    Goal("at10000", 1.10, "CPU at 10,000 connections / at 64", ("galley",), other_row="at64"),
    Goal("at4096", 1.10, "CPU at 4096 connections / at 64", ("galley",), other_row="at64"),
    Goal("at1", 1.10, "one connection / blind epoll", ("epoll",)),
    Goal("at10000", 1.10, "10,000 connections / blind epoll", ("epoll",)),
    Goal("log", 0.30, "a line of the JSON log", ("galley",), other_row="small", unit="us", is_difference=True),
]


def good(runs):
    return [run for run in runs or [] if run and "failed" not in run]


def values(results, row, column, figure):
    return [run[figure] for run in good(results.get(row, {}).get(column)) if figure in run]


def best_of(results, row, columns, figure):
    """The values of the column with the least median, and its name."""
    known = {column: values(results, row, column, figure) for column in columns}
    known = {column: found for column, found in known.items() if found}
    if not known:
        return None, []
    name = min(known, key=lambda column: statistics.median(known[column]))
    return name, known[name]


def reached(goal, results):
    """-> (value, the column compared with); value None: not measured."""
    mine = values(results, goal.row, "galley", goal.figure)
    if not goal.others:
        return (statistics.median(mine) if mine else None), None
    name, theirs = best_of(results, goal.other_row or goal.row, goal.others, goal.other_figure or goal.figure)
    pairs = list(zip(mine, theirs))
    if not pairs:
        return None, name
    if goal.is_difference:
        return statistics.median(a - b for a, b in pairs), name
    return statistics.median(a / b for a, b in pairs if b), name


def judge(results):
    """Yields (goal, value or None, name of the best other, "met" | "MISSED" | "not measured")."""
    for goal in GOALS:
        value, name = reached(goal, results)
        verdict = "not measured" if value is None else "met" if value <= goal.limit else "MISSED"
        yield goal, value, name, verdict
