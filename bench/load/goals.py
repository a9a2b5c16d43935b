"""What galley is to reach, as ratios of one run. Each goal compares what was measured in the same round, and takes the
median over the rounds: a machine that is busy for a while slows both. Where the limit lies between the quartiles of the
rounds, a goal is within the noise, whether its median is met or missed. Imported by bench/load/run."""

import statistics
from dataclasses import dataclass

PEERS = ("nginx", "h2o", "lighttpd", "caddy")
SELF = ("galley",)
ROUNDS_FOR_QUARTILES = 4


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
    is_difference: bool = False  # of what the row's one more thing costs, for each that was done: `logged`


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
    Goal("coded", 0.80, "20 files, compressed on the fly / nginx", ("nginx",)),
    Goal("log", 0.30, "a line of the JSON log", SELF, other_row="small", unit="us", is_difference=True),
    Goal("held", 400, "user memory of an idle connection", figure="each_bytes", unit="bytes"),
    Goal("held", 1.10, "memory of the second half of them / of the first", figure="second_half"),
    Goal("held", 1.10, "p99 beside idle connections / without", SELF, "p99_us", other_figure="p99_alone_us"),
    Goal("tls", 0.85, "TLS: small page / best peer", PEERS),
    Goal("tls100k", 1.00, "TLS: 100 kB / best peer", PEERS),
    Goal("tls1m", 1.00, "TLS: 1 MB / best peer", PEERS),
    Goal("shake", 1.00, "TLS: full handshake / best peer", PEERS),
    Goal("resumed", 1.00, "TLS: resumed handshake / best peer", PEERS),
    Goal("h2", 0.90, "HTTP/2: small page, 32 streams / best peer", PEERS),
    Goal("held_tls", 1.00, "user memory of an idle TLS connection / nginx", ("nginx",), "each_bytes"),
    Goal("pool", 2.00, "handler on the pool / on the loop", SELF, other_row="loop"),
    Goal("sleepers", 1.10, "p99 of a page while every worker sleeps / without", SELF, "p99_us",
         other_figure="p99_alone_us"),
    Goal("overload", 2.00, "2x overload: p99 of the served / of a load that fits", SELF, "p99_us",
         other_figure="p99_alone_us"),
    Goal("overload", 5.00, "2x overload: p99 of a 503", figure="refused_p99_ms", unit="ms"),
    Goal("life", 20, "start to first answer", figure="start_ms", unit="ms"),
    Goal("life", 20, "stop", figure="stop_ms", unit="ms"),
    Goal("at1", 1.10, "1 connection / blind epoll", ("epoll",)),
    Goal("at512", 1.10, "CPU at 512 connections / at 64", SELF, other_row="at64"),
    Goal("at4096", 1.10, "CPU at 4096 connections / at 64", SELF, other_row="at64"),
    Goal("at10000", 1.10, "CPU at 10,000 connections / at 64", SELF, other_row="at64"),
    Goal("at10000", 1.10, "10,000 connections / blind epoll", ("epoll",)),
]


@dataclass(frozen=True)
class Verdict:
    """One goal, judged."""
    goal: Goal
    values: tuple = ()  # of each round; empty: not measured
    column: str = ""  # compared with
    mine: float = 0  # medians of what was compared
    theirs: float = 0

    @property
    def value(self):
        return statistics.median(self.values) if self.values else None

    @property
    def is_missed(self):
        return bool(self.values) and self.value > self.goal.limit

    @property
    def is_in_noise(self):
        """The limit lies between the quartiles of the rounds."""
        if len(self.values) < ROUNDS_FOR_QUARTILES:
            return False
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low <= self.goal.limit <= high and low < high

    @property
    def words(self):
        if not self.values:
            return "not measured"
        said = "MISSED" if self.is_missed else "met"
        if self.is_in_noise:
            return f"{said}, within noise"
        return said if len(self.values) >= ROUNDS_FOR_QUARTILES else f"{said}, few rounds"


def good(runs):
    return [run for run in runs or [] if run and "failed" not in run]


def values(results, row, column, figure):
    return [run[figure] for run in good(results.get(row, {}).get(column)) if figure in run]


def by_round(results, row, column, figure):
    """{round: run}"""
    return {run["round"]: run for run in good(results.get(row, {}).get(column)) if figure in run}


def best_of(results, row, columns, figure):
    """The column with the least median, or None."""
    known = {column: values(results, row, column, figure) for column in columns}
    known = {column: statistics.median(found) for column, found in known.items() if found}
    return min(known, key=known.get) if known else None


def compare(goal, run, other, figure):
    if goal.is_difference:
        return (run[goal.figure] - other[figure]) / (run.get("logged") or 1)
    return run[goal.figure] / other[figure] if other[figure] else None


def judge_one(goal, results):
    mine = by_round(results, goal.row, "galley", goal.figure)
    if not goal.others:
        return Verdict(goal, tuple(run[goal.figure] for run in mine.values()))
    row, figure = goal.other_row or goal.row, goal.other_figure or goal.figure
    column = best_of(results, row, goal.others, figure)
    theirs = by_round(results, row, column, figure) if column else {}
    both = sorted(mine.keys() & theirs.keys())
    found = [compare(goal, mine[number], theirs[number], figure) for number in both]
    found = tuple(value for value in found if value is not None)
    if not found:
        return Verdict(goal, column=column or "")
    return Verdict(goal, found, column, statistics.median(mine[number][goal.figure] for number in both),
                   statistics.median(theirs[number][figure] for number in both))


def judge(results):
    return [judge_one(goal, results) for goal in GOALS]


def as_data(results):
    """The verdicts, for programs."""
    return [{"goal": each.goal.text, "limit": each.goal.limit, "unit": each.goal.unit, "median": each.value,
             "rounds": each.values, "compared_with": each.column, "verdict": each.words} for each in judge(results)]
