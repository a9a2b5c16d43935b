"""What bench/pool/run measures, and how the results become a table: one line a figure, one column a pool, and what
galley is in that line. Imported by bench/pool/run."""

import statistics
from dataclasses import dataclass

NOISE = 1.05  # medians this close are the same

PEERS = ["galley", "cthreadpool", "glib", "apr", "libuv", "tbb", "openmp"]  # programs bench_pool_NAME


@dataclass(frozen=True)
class Figure:
    key: str  # in the JSON that the program prints
    unit: str
    factor: float = 1  # shown = printed * factor
    better: str = "low"  # low, high, or none: not judged
    floor: float = 0  # differences below this (in the shown unit) are noise


@dataclass(frozen=True)
class Row:
    name: str
    variant: int
    title: str
    figures: tuple = ()  # none: an outcome in words
    workers: int = 0  # 0: as many as CPUs
    refused_after: int = -1  # threads that can be made
    # (key, limit, mark): more than that, and the pool did not do what the row is about; it is shown, not judged.
    apart: tuple = ()


EMPTY = (Figure("jobs_per_s", "M/s", 1e-6, "high"), Figure("cpu_ns", "ns CPU a job"))
FAIR = (*EMPTY, Figure("fairness", "least/most", 1, "high", 0.05))
WAIT = (Figure("p50_us", "us p50"), Figure("p99_us", "us p99"))
IDLE = (*WAIT, Figure("cpu_us", "us CPU a job"))
WORK = (Figure("efficiency", "of ideal", 1, "high", 0.01), Figure("cpu_us", "us CPU a job"))
FORK = (Figure("ms", "ms"), Figure("cpu_ms", "ms CPU"))

INLINE = ("inline_percent", 1, "\u00b9")
THREADS_LEFT = ("threads_left", 0, "\u00b2")
NOTES = {
    "\u00b9": "not judged: the submitting thread ran jobs itself, inside the submission, instead of handing them over",
    "\u00b2": "not judged: threads were still there when the pool's end had returned",
}

ROWS = [
    Row("empty", 1, "empty jobs, 1 producer", EMPTY, apart=INLINE),
    Row("empty", 2, "empty jobs, 2 producers", FAIR, apart=INLINE),
    Row("empty", 4, "empty jobs, 4 producers", FAIR, apart=INLINE),
    Row("idle_latency", 0, "submit to start, idle", IDLE),
    Row("loaded_latency", 50, "submit to start, 50 % load", WAIT),
    Row("loaded_latency", 80, "submit to start, 80 % load", WAIT),
    Row("loaded_latency", 95, "submit to start, 95 % load", WAIT),
    Row("mixed", 0, "short jobs among long ones", WAIT),
    Row("work", 1, "jobs of 1 us", WORK, apart=INLINE),
    Row("work", 10, "jobs of 10 us", WORK, apart=INLINE),
    Row("work", 100, "jobs of 100 us", WORK, apart=INLINE),
    Row("fib", 0, "fib(30), no cut-off", (*FORK, Figure("fork_ns", "ns a fork"))),
    Row("queens", 0, "12 queens, forks in 5 rows", FORK),
    Row("uneven", 0, "loop of uneven rounds", FORK),
    Row("fan", 0, "16 jobs out and in", (Figure("round_us", "us"), Figure("cpu_us", "us CPU"))),
    Row("nested", 0, "jobs that submit jobs", EMPTY, apart=INLINE),
    Row("overload", 0, "twice too many jobs", (
        Figure("rejected_percent", "% refused", 1, "none"), Figure("wait_p99_ms", "ms wait p99"),
        Figure("memory_kb", "kB grown", 1, "low", 64))),
    Row("drain", 0, "drain 65,536 queued", (Figure("ms", "ms", 1, "low", 0.1), Figure("cpu_ns", "ns CPU a job"))),
    Row("discard", 0, "discard 65,536 queued", (
        Figure("ms", "ms", 1, "low", 0.1), Figure("ran_after", "ran all the same", 1, "low", 0.5))),
    Row("create", 4, "make and end 4 threads", (
        Figure("us", "us"), Figure("cpu_us", "us CPU"), Figure("threads_left", "not ended", 1, "none")),
        apart=THREADS_LEFT),
    Row("create", 32, "make and end 32 threads", (
        Figure("us", "us"), Figure("cpu_us", "us CPU"), Figure("threads_left", "not ended", 1, "none")),
        apart=THREADS_LEFT),
    Row("memory", 0, "memory of a queued job", (Figure("bytes", "bytes"),)),
    Row("idle_cpu", 0, "idle pool", (
        Figure("cpu_us_per_s", "us CPU a s", 1, "low", 10), Figure("wakeups_per_s", "wake-ups a s", 1, "low", 1))),
    Row("refused_thread", 4, "3rd of 4 threads refused", refused_after=2),
    Row("forked", 0, "submit in a forked child"),
    Row("signals", 0, "signals in a job"),
]


def failure(runs):
    """Why a peer has no figures in this row, in a word or two; None if it has."""
    for run in runs:
        for key in ("failed", "wrong", "absent"):
            if key in run:
                return "-" if key == "absent" else "wrong" if key == "wrong" else run["failed"]
    return None if runs else "-"


def values_of(runs, figure):
    return [run[figure.key] * figure.factor for run in runs]


def mark_of(row, runs):
    if not row.apart:
        return ""
    key, limit, mark = row.apart
    return mark if statistics.median(run[key] for run in runs) > limit else ""


def show(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def is_within_noise(mine, best, figure):
    """Both: all values of one pool. Close medians, or ranges that overlap and medians that are not far apart."""
    a, b = statistics.median(mine), statistics.median(best)
    if abs(a - b) <= figure.floor or max(a, b) <= min(a, b) * NOISE:
        return True
    overlap = min(mine) <= max(best) and min(best) <= max(mine)
    return overlap and len(mine) > 1 and max(a, b) <= min(a, b) * 1.25


def judge(figure, results):
    """results: {peer: [values]} of those that have this figure."""
    if figure.better == "none" or "galley" not in results or len(results) < 2:
        return ""
    medians = {peer: statistics.median(values) for peer, values in results.items()}
    pick = max if figure.better == "high" else min
    best = pick((peer for peer in medians if peer != "galley"), key=medians.get)
    if pick(medians["galley"], medians[best]) == medians["galley"]:
        return "first"
    if is_within_noise(results["galley"], results[best], figure):
        return "in the noise"
    low, high = sorted((abs(medians["galley"]), abs(medians[best])))
    return f"{high / low:.1f} x behind {best}" if low > 0 else f"behind {best}"


def lines_of(row, results):
    """Yields (title, unit, [cell for each peer], verdict); results: {peer: [run, ...]}."""
    reasons = {peer: failure(runs) for peer, runs in results.items()}
    if not row.figures:
        cells = [reasons[peer] or runs[-1]["outcome"] for peer, runs in results.items()]
        yield row.title, "", cells, ""
        return
    marks = {peer: mark_of(row, runs) for peer, runs in results.items() if not reasons[peer]}
    for number, figure in enumerate(row.figures):
        values = {peer: values_of(results[peer], figure) for peer in marks}
        cells = [show(statistics.median(values[peer])) + marks[peer] if peer in marks else reasons[peer]
                 for peer in results]
        judged = {peer: found for peer, found in values.items() if not marks[peer]}
        yield row.title if number == 0 else "", figure.unit, cells, judge(figure, judged)


def all_lines(part):
    """part: {"rows": [(row, {peer: runs})]}; words come last, in a table of their own (see split)."""
    for row, results in part["rows"]:
        yield row, list(lines_of(row, results))


def aligned(header, body):
    table = [header, *body]
    widths = [max(len(line[i]) for line in table) for i in range(len(header))]
    left = {0, 1, len(header) - 1}
    return "\n".join("  ".join(cell.ljust(w) if i in left else cell.rjust(w)
                               for i, (cell, w) in enumerate(zip(line, widths))).rstrip() for line in table)


def markdown(header, body):
    rule = ["---" if i in (0, 1, len(header) - 1) else "---:" for i in range(len(header))]
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *body])


def transposed(part, names):
    """The rows that are words, with a line for each pool: (header, body)."""
    rows = [(row, lines[0]) for row, lines in all_lines(part) if not row.figures]
    return (["", *(row.title for row, _ in rows)],
            [[name, *(line[2][i] for _, line in rows)] for i, name in enumerate(names)])


def render(part, names, style):
    """The text of one configuration's tables."""
    body = [[title, unit, *cells, verdict]
            for row, lines in all_lines(part) if row.figures for title, unit, cells, verdict in lines]
    make = markdown if style == "markdown" else aligned
    pieces = [make(["", "", *names, "galley is"], body)] if body else []
    pieces += [f"{mark} {note}" for mark, note in NOTES.items() if any(mark in cell for line in body for cell in line)]
    words_header, words = transposed(part, names)
    if len(words_header) > 1:
        pieces.append(make(words_header, words))
    return "\n\n".join(pieces)
