"""Tables of what bench/load/run measured, as text or markdown. Imported by run."""

import statistics

import goals

# (title, figure)
MAIN = [
    ("Server CPU a request, microseconds (an upload, an event)", "cpu_us"),
    ("Requests a second", "per_s"),
    ("Latency, median, microseconds", "p50_us"),
    ("Latency, p99, microseconds", "p99_us"),
]
LIFE = [
    ("small", "head_bytes", "bytes of the small page's head"),
    ("small", "head_fields", "fields of it"),
    ("mix", "body_bytes", "bytes of one of the 20 bodies, mean"),
    ("coded", "body_bytes", "... compressed on the fly"),
    ("cold", "first_ms", "first answer of a text file that nothing compressed yet, mean, ms"),
    ("cold", "first_worst_ms", "... the slowest of 14, ms"),
    ("cold", "first_coded", "... compressed, of those first answers"),
    ("log", "logged", "log lines written, of requests"),
    ("life", "start_ms", "start to first answer, ms"),
    ("life", "stop_ms", "stop, ms"),
    ("held", "each_bytes", "memory of an idle connection, bytes"),
    ("held", "total_mb", "memory with all of them, MB"),
    ("held_tls", "each_bytes", "memory of an idle TLS connection, bytes"),
    ("held", "p99_us", "p99 of a client beside them, us"),
    ("held", "p99_alone_us", "p99 of that client before, us"),
    ("sleepers", "p99_us", "p99 while all workers sleep, us"),
    ("sleepers", "p99_alone_us", "p99 of that client before, us"),
    ("overload", "kept_share", "2x overload: served, of what the pool can do"),
    ("overload", "p50_us", "... half of the served within, us"),
    ("overload", "p99_us", "... p99 of the served, us"),
    ("overload", "p99_alone_us", "... p99 of a load that fits, us"),
    ("overload", "refused_share", "... answered with 503, of all"),
    ("overload", "refused_p50_ms", "... half of the 503s within, ms"),
    ("overload", "refused_p99_ms", "... p99 of the 503s, ms"),
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
    found = [run[figure] for run in goals.good(runs) if figure in run]
    if len(runs) - len(goals.good(runs)) > len(found):
        return "failed"
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


GOAL_HEADER = ["", "goal", "median", "least .. most", "rounds", "galley", "compared with", "verdict"]
NOISE = ("The verdict is of the median over the rounds, each compared within itself. *Within noise*: the limit lies "
         "between the quartiles of the rounds. *Few rounds*: less than four, too few to know.")
ELSEWHERE = "The goals of the thread pool are judged by `make bench-pool`."


def limit_of(goal):
    return f"<= {goal.limit:g}" + ("" if goal.unit == "x" else f" {goal.unit}")


def goal_line(verdict, columns):
    goal = verdict.goal
    if not verdict.values:
        return [goal.text, limit_of(goal), "", "", "", "", columns.get(verdict.column, verdict.column), verdict.words]
    spread = f"{show(min(verdict.values))} .. {show(max(verdict.values))}"
    mine, theirs = "", ""
    if goal.others:
        mine = show(verdict.mine)
        name = columns.get(verdict.column, verdict.column)
        before = goal.other_row or goal.other_figure
        theirs = f"{'' if verdict.column == 'galley' and before else name + ' '}{show(verdict.theirs)}"
    return [goal.text, limit_of(goal), show(verdict.value), spread, str(len(verdict.values)), mine, theirs,
            verdict.words]


def goal_table(results, columns, make):
    verdicts = goals.judge(results)
    told = [(f"{title}: {'; '.join(found)}.") for title, found in (
        ("Missed", [each.goal.text for each in verdicts if each.is_missed and not each.is_in_noise]),
        ("Within noise", [f"{each.goal.text} ({'missed' if each.is_missed else 'met'})" for each in verdicts
                          if each.is_in_noise])) if found]
    yield "Goals", "\n\n".join(
        [make(GOAL_HEADER, [goal_line(verdict, columns) for verdict in verdicts]), NOISE, *told, ELSEWHERE])


def failures(all_rows, results, columns):
    """Yields a sentence for each measurement that has no figure, also where others of its cell have one."""
    titles = {row.name: row.title for row in all_rows}
    for name, runs_of in results.items():
        for column, runs in runs_of.items():
            for run in runs:
                if "failed" in run:
                    yield (f"{titles.get(name, name)}, {columns.get(column, column)}, round {run['round'] + 1}: "
                           f"{run['failed']}")


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
