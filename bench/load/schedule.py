"""In which order rows and columns are measured. A round goes through all groups of rows; in a group all columns of all
its rows take turns, so that what is compared lies close together in time; each round begins with another column. What
is close to its goal, or decides one, takes part in every round, the rest in some of them. Imported by bench/load/run."""

import goals

ROUNDS = 12
RARE = {"caddy": 2}  # far from everything: at most so many rounds
MOST_UNJUDGED = 2  # rounds of a column that no goal is judged by
STARTING_S, CONNECTING_S = 0.05, 0.0001  # of a measurement: the client's start; one connection, with its first answer
# Seconds of a measurement that is not only a client's; the rest is that of as many clients.
MORE_S = {"held": 2.3, "memory": 1.8, "life": 0.3, "beside_sleepers": 0.2, "cold": 0.3, "overload": 1.5}
CLIENTS = {"held": 2, "memory": 0.3, "life": 0, "cold": 0, "beside_sleepers": 2, "overload": 6}
SETTLING_S = 2.5  # of a column that compresses, once


def columns_of_goals():
    """{row name: names of the columns that a goal compares there}"""
    found = {}
    for goal in goals.GOALS:
        found.setdefault(goal.row, set()).add("galley")
        found.setdefault(goal.other_row or goal.row, set()).update(goal.others or {"galley"})
    return found


def rounds_of(row, kind, rounds, judged):
    """So many of `rounds` rounds does this column of the row take part in: one at least."""
    is_judged = (kind.column or kind.name) in judged.get(row.name, ())
    wanted = row.rounds if is_judged else row.others or MOST_UNJUDGED
    wanted = min(wanted, RARE.get(kind.name, wanted))
    return max(1, min(rounds, round(wanted * rounds / ROUNDS)))


def is_due(number, wanted, rounds):
    """Spread evenly, the first round among them."""
    return number * wanted % rounds < wanted


def groups_of(rows):
    """Rows with the same group, at the place of the first."""
    groups = {}
    for row in rows:
        groups.setdefault(row.group or row.name, []).append(row)
    return list(groups.values())


def turns(number, rounds, rows, kinds):
    """Yields the groups of that round: lists of (row, kind) in their order."""
    judged = columns_of_goals()
    for group in groups_of(rows):
        order = [(row, kind) for kind in kinds for row in group if kind.name in row.columns]
        due = [(row, kind) for row, kind in order if is_due(number, rounds_of(row, kind, rounds, judged), rounds)]
        first = number % len(due) if due else 0
        yield due[first:] + due[:first]


def seconds_of(row, seconds):
    """About so long does one measurement of that row take, where a usual one takes `seconds`."""
    client = 1.25 * seconds * row.span + STARTING_S + row.connections * CONNECTING_S
    return MORE_S.get(row.kind, 0) + CLIENTS.get(row.kind, 1) * client


def plan(rounds, rows, kinds, seconds):
    """-> {row name: {column: rounds}}, seconds that all of it takes, about"""
    planned = {}
    total = sum(SETTLING_S * len(row.columns) for row in rows if row.settles)
    for number in range(rounds):
        for group in turns(number, rounds, rows, kinds):
            for row, kind in group:
                of_row, column = planned.setdefault(row.name, {}), kind.column or kind.name
                of_row[column] = of_row.get(column, 0) + 1
                total += seconds_of(row, seconds)
    return planned, total


def rounds_of_goals(planned):
    """{goal's text: the rounds in which all that it compares takes part}. Of several columns the best is compared, which
    is none of the rare ones."""
    found = {}
    for goal in goals.GOALS:
        others = [column for column in goal.others if column not in RARE]
        counts = [planned.get(goal.row, {}).get("galley", 0)]
        counts += [planned.get(goal.other_row or goal.row, {}).get(column, 0) for column in others]
        found[goal.text] = min(counts)
    return found
