"""In which order rows and columns are measured. A round goes through all groups of rows; in a group all columns of all
its rows take turns, so that what is compared lies close together in time; each round begins with another column. What
is close to its goal, or decides one, takes part in every round, the rest in some of them. Imported by bench/load/run."""

import goals

ROUNDS = 15
RARE = {"caddy": 2}  # far from everything: at most so many rounds


def columns_of_goals():
    """{row name: names of the columns that a goal compares there}"""
    found = {}
    for goal in goals.GOALS:
        found.setdefault(goal.row, set()).add("galley")
        found.setdefault(goal.other_row or goal.row, set()).update(goal.others or {"galley"})
    return found


def rounds_of(row, kind, rounds, judged):
    """So many of `rounds` rounds does this column of the row take part in: one at least."""
    is_judged = (kind.column or kind.name) in {"galley", *judged.get(row.name, ())}
    wanted = row.rounds if is_judged else row.others or row.rounds / 2
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
