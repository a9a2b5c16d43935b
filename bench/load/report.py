"""Tables of what bench/load/run measured, as text or markdown. Imported by run."""

import statistics

import goals

# (title, figure, rows: load rows that are no curve, or a kind)
MAIN = [
    ("Server CPU a request, microseconds (an upload, an event)", "cpu_us"),
    ("Requests a second", "per_s"),
    ("Latency, median, microseconds", "p50_us"),
    ("Latency, p99, microseconds", "p99_us"),
]
LIFE = [
    ("mix", "body_bytes", "bytes of one of the 20 bodies, mean"),
    ("log", "logged", "log lines written, of requests"),
    ("life", "start_ms", "start to first answer, ms"),
    ("life", "stop_ms", "stop, ms"),
    ("held", "each_bytes", "memory of an idle connection, bytes"),
    ("held", "total_mb", "memory with all of them, MB"),
    ("held", "p99_us", "p99 of a client beside them, us"),
    ("held", "p99_alone_us", "p99 of that client before, us"),
    ("sleepers", "p99_us", "p99 while all workers sleep, us"),
    ("sleepers", "p99_alone_us", "p99 of that client before, us"),
]


def show(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(runs, figure):
    if not runs:
        return ""
    for run in runs:
        if run and "failed" in run:
            return "failed"
    found = [run[figure] for run in runs if run and figure in run]
    return show(statistics.median(found)) if found else ""


def aligned(header, body):
    table = [header, *body]
    widths = [max(len(line[i]) for line in table) for i in range(len(header))]
    return "\n".join("  ".join(text.rjust(w) if i else text.ljust(w)
                               for i, (text, w) in enumerate(zip(line, widths))).rstrip() for line in table)


def markdown(header, body):
    rule = ["---:" if i else "---" for i in range(len(header))]
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *body])


def main_tables(all_rows, results, columns, make):
    rows = [row for row in all_rows if row.name in results and row.kind in ("load", "events")]
    for title, figure in MAIN:
        shown = [row for row in rows if not row.is_curve] if figure != "cpu_us" else rows
        body = [[row.title, *(cell(results[row.name].get(column), figure) for column in columns)] for row in shown]
        if any(any(line[1:]) for line in body):
            yield title, make(["", *columns.values()], body)


def life_table(results, columns, make):
    body = [[title, *(cell(results[row].get(column), figure) for column in columns)]
            for row, figure, title in LIFE if row in results]
    if body:
        yield "Life, memory, and what others feel", make(["", *columns.values()], body)


def goal_lines(results, columns):
    for goal, value, name, verdict in goals.judge(results):
        against = f" ({columns.get(name, name)})" if name and len(goal.others) > 1 else ""
        unit = "" if goal.unit == "x" else f" {goal.unit}"
        yield [goal.text + against, f"<= {goal.limit:g}{unit}", "" if value is None else show(value) + unit, verdict]


def goal_table(results, columns, make):
    lines = list(goal_lines(results, columns))
    missed = [line[0] for line in lines if line[3] == "MISSED"]
    closing = f"\n\nMissed: {'; '.join(missed)}." if missed else ""
    yield "Goals", make(["", "goal", "measured", ""], lines) + closing


def failures(all_rows, results, columns):
    """Yields a sentence for each cell that says "failed"."""
    titles = {row.name: row.title for row in all_rows}
    for name, runs_of in results.items():
        for column, runs in runs_of.items():
            for run in runs:
                if run and "failed" in run:
                    yield f"{titles.get(name, name)}, {columns.get(column, column)}: {run['failed']}"


def render(all_rows, results, columns, about, style):
    """columns: {name: title}"""
    make = markdown if style == "markdown" else aligned
    heading, bullet = ("### ", "- ") if style == "markdown" else ("", "")
    pieces = ["\n".join(bullet + line for line in about)]
    for title, text in (*goal_table(results, columns, make), *main_tables(all_rows, results, columns, make),
                        *life_table(results, columns, make)):
        pieces.append(f"{heading}{title}\n\n{text}")
    failed = list(failures(all_rows, results, columns))
    if failed:
        pieces.append(f"{heading}Failed\n\n" + "\n".join(bullet + line for line in failed))
    return "\n\n".join(pieces)
