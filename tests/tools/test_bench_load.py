"""The parts of bench/load that compute: goals, tables, plots, the order of measurements, what counts as a disturbance.
Over made-up results; nothing is measured."""

import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/load"))
import goals  # noqa: E402
import plot  # noqa: E402
import quiet  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402
import schedule  # noqa: E402
import servers  # noqa: E402
import tls_setup  # noqa: E402
import wire  # noqa: E402
import www  # noqa: E402


def load_script(name):
    """A program of bench/load that has no ending."""
    loader = SourceFileLoader(f"bench_load_{name}", str(ROOT / "bench/load" / name))
    module = ModuleType(loader.name)
    module.__file__ = loader.path
    loader.exec_module(module)
    return module


COLUMNS = {"galley": "galley", "epoll": "blind epoll", "nginx": "nginx", "h2o": "h2o"}


def runs(*figures, name="cpu_us", first=0):
    """One run a round, each with that figure."""
    return [{name: figure, "round": number} for number, figure in enumerate(figures, first)]


def judge(results, text):
    return next(verdict for verdict in goals.judge(results) if verdict.goal.text == text)


# ---- goals ----


def test_a_ratio_is_taken_within_each_round_and_then_the_median():
    results = {"small": {"galley": runs(5, 10, 20, 10, 5), "epoll": runs(5, 10, 20, 10, 2)}}
    verdict = judge(results, "small page / blind epoll")
    assert verdict.values == (1, 1, 1, 1, 2.5) and verdict.value == 1
    assert verdict.words == "met"


def test_only_rounds_that_both_took_part_in_are_compared():
    results = {"small": {"galley": runs(1, 2, 3, 4), "nginx": runs(30, 40, first=2)}}
    assert judge(results, "small page / nginx").values == (0.1, 0.1)


def test_the_best_peer_is_the_one_with_the_least_median_and_is_named():
    results = {"10k": {"galley": runs(8, 8), "nginx": runs(9, 90), "h2o": runs(10, 10), "caddy": runs()}}
    verdict = judge(results, "10 kB / best peer")
    assert (verdict.column, verdict.theirs) == ("h2o", 10)


def test_what_was_not_measured_is_not_met():
    failed = [{"failed": "no answers", "round": 0}]
    for results in ({}, {"small": {"galley": runs(1)}}, {"small": {"epoll": runs(1)}},
                    {"small": {"galley": failed, "epoll": runs(1)}},
                    {"small": {"galley": runs(1, first=1), "epoll": runs(1)}}):
        verdict = judge(results, "small page / blind epoll")
        assert verdict.value is None and verdict.words == "not measured" and not verdict.is_missed


def test_a_failed_round_leaves_the_others():
    results = {"small": {"galley": [{"failed": "x", "round": 0}, *runs(2, first=1)], "epoll": runs(1, 1)}}
    assert judge(results, "small page / blind epoll").values == (2,)


@pytest.mark.parametrize("figures, words", [
    ((1.0, 1.0, 1.0, 1.0), "met"),
    ((1.2, 1.2, 1.2, 1.2), "MISSED"),
    ((1.0, 1.0, 1.0, 1.0, 9.0), "met"),  # one that is far away moves no quartile over the limit
    ((1.0, 1.05, 1.12, 1.2), "met, within noise"),
    ((1.05, 1.09, 1.2, 1.3), "MISSED, within noise"),
    ((1.0,), "met, few rounds"),
    ((9.0, 9.0, 9.0), "MISSED, few rounds"),
])
def test_within_noise_is_a_limit_between_the_quartiles(figures, words):
    results = {"small": {"galley": runs(*figures), "epoll": runs(*[1] * len(figures))}}
    assert judge(results, "small page / blind epoll").words == words


def test_a_line_of_the_log_is_what_it_adds_in_the_same_round_for_each_line_that_was_written():
    log = [run | {"logged": 0.5} for run in runs(5.1, 9.1)]
    verdict = judge({"small": {"galley": runs(5, 9)}, "log": {"galley": log}}, "a line of the JSON log")
    assert verdict.values == pytest.approx((0.2, 0.2))


def test_a_figure_is_compared_with_another_of_the_same_run():
    held = [{"p99_us": 110, "p99_alone_us": 100, "each_bytes": 300, "round": 0}]
    results = {"held": {"galley": held, "nginx": [{"p99_us": 1, "p99_alone_us": 1, "each_bytes": 1, "round": 0}]}}
    assert judge(results, "p99 beside idle connections / without").values == (1.1,)
    assert judge(results, "user memory of an idle connection").values == (300,)


def test_each_goal_names_rows_columns_and_figures_that_exist():
    known = {row.name: row for row in rows.all_rows(False)}
    columns = {kind.column or kind.name for kind in servers.KINDS}
    for goal in goals.GOALS:
        assert goal.row in known and (goal.other_row or goal.row) in known and set(goal.others) <= columns, goal.text
        assert len({each.text for each in goals.GOALS}) == len(goals.GOALS)


# ---- tables ----

EVERY = rows.all_rows(False)
FAILED = {"failed": "no answers", "round": 0}
RESULTS = {
    "small": {"galley": runs(5, 6, 7), "epoll": runs(5, 5, 5), "h2o": [FAILED, FAILED]},
    "10k": {"galley": runs(8, 9, 10), "nginx": [FAILED, *runs(10, 11, first=1)]},
    "at64": {"galley": runs(5)},
    "life": {"galley": [{"start_ms": 9.0, "stop_ms": 1.0, "round": 0}]},
}


@pytest.mark.parametrize("style", ["text", "markdown"])
def test_a_table_shows_what_is_there_and_names_what_failed(style):
    text = report.render(EVERY, RESULTS, COLUMNS, ["a machine"], style)
    line = next(line for line in text.splitlines() if "173-byte page, keep-alive" in line)
    assert [word for word in line.replace("|", " ").split() if word in ("6", "5", "failed")] == ["6", "5", "failed"]
    assert "173-byte page, keep-alive, h2o, round 1: no answers" in text
    assert "10 kB file, nginx, round 1: no answers" in text and "10.5" in text
    assert "small page / blind epoll" in text.split("Missed: ")[1].splitlines()[0]
    assert "not measured" in next(line for line in text.splitlines() if "16 pipelined / h2o" in line)


def test_nothing_measured_is_still_a_page():
    text = report.render(EVERY, {}, COLUMNS, ["a machine"], "markdown")
    assert text.count("not measured") == len(goals.GOALS) and "MISSED" not in text


def test_a_goal_tells_its_value_spread_rounds_and_what_it_is_compared_with():
    line = report.goal_line(judge(RESULTS, "small page / blind epoll"), COLUMNS)
    assert line == ["small page / blind epoll", "<= 1.1", "1.20", "1 .. 1.40", "3", "6", "blind epoll 5",
                    "MISSED, few rounds"]


# ---- plots ----


@pytest.mark.parametrize("series", [
    {"galley": [(1, 5.0), (64, 6.0), (10_000, 7.5)], "nginx": [(1, 5.0), (64, 6.0)]},
    {"galley": [(64, 5.0)]},
    {"galley": [(1, 0.0), (64, 0.0)], "unknown": [(1, 0.0)]},
])
def test_a_plot_is_xml_with_a_line_a_series(series):
    text = plot.plot(series, {"galley": "galley <1>"}, "a & b", "x", "y", "note")
    root = ElementTree.fromstring(text)
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == len(series)
    assert "nan" not in text and "galley &lt;1&gt;" in text


def test_labels_do_not_cover_each_other():
    placed = [y for y, _ in plot.spread([(100, "a"), (101, "b"), (102, "c"), (380, "d"), (381, "e")])]
    assert all(after - before >= plot.MIN_GAP for before, after in zip(placed, placed[1:]))


# ---- the order ----


def all_turns(rounds):
    return [[(row.name, kind.name) for group in schedule.turns(number, rounds, EVERY, servers.KINDS) for row, kind in group]
            for number in range(rounds)]


@pytest.mark.parametrize("rounds", [1, 4, schedule.ROUNDS])
def test_each_cell_is_measured_in_the_first_round_and_once_a_round_at_most(rounds):
    cells = {(row.name, kind.name) for row in EVERY for kind in servers.KINDS if kind.name in row.columns}
    turns = all_turns(rounds)
    assert set(turns[0]) == cells
    assert all(len(turn) == len(set(turn)) for turn in turns)


def test_what_decides_a_goal_takes_part_in_the_same_rounds():
    turns = all_turns(schedule.ROUNDS)
    for one, other in ((("small", "galley"), ("small", "nginx")), (("log", "galley"), ("small", "galley")),
                       (("1m", "galley"), ("1m", "lighttpd")), (("at1", "galley"), ("at1", "epoll"))):
        assert [one in turn for turn in turns] == [other in turn for turn in turns]
    assert sum(("small", "caddy") in turn for turn in turns) == schedule.RARE["caddy"]
    assert sum(("small", "galley") in turn for turn in turns) == schedule.ROUNDS


def test_a_row_and_what_it_is_compared_with_are_neighbours_and_rounds_begin_differently():
    turns = all_turns(schedule.ROUNDS)
    for turn in turns:
        places = sorted((turn.index(("small", "galley")), turn.index(("log", "galley"))))
        # Neighbours, or the two ends of a group whose turn began between them.
        assert places[1] - places[0] == 1 or places[0] == 0
    assert len({turn[0] for turn in turns}) > 3


def test_everything_fits_into_the_time_there_is_and_goals_get_their_rounds():
    planned, seconds = schedule.plan(schedule.ROUNDS, EVERY, servers.KINDS, 0.4)
    run = load_script("run")
    assert seconds * (1 + quiet.REPEAT_SHARE) < run.MINUTES * 60
    assert min(schedule.rounds_of_goals(planned).values()) >= 8
    quick = schedule.plan(1, rows.all_rows(True), servers.KINDS, 0.15)[1]
    assert quick < run.QUICK_MINUTES * 60


def test_what_decides_nothing_gets_few_rounds_and_each_cell_one():
    planned, _ = schedule.plan(schedule.ROUNDS, EVERY, servers.KINDS, 0.4)
    assert planned["1k"] == dict.fromkeys(("galley", "galley_uring", "nginx", "h2o", "lighttpd", "caddy"), 2)
    assert planned["h2"]["galley"] == planned["h2"]["lighttpd"] == 8 and planned["h2"]["galley_uring"] == 2
    assert min(count for columns in planned.values() for count in columns.values()) == 1


def test_more_connections_and_longer_spans_are_planned_with_more_time():
    at = {row.name: schedule.seconds_of(row, 0.4) for row in EVERY}
    assert at["small"] < at["1m"] < at["held"] and at["at64"] < at["at4096"] < at["at10000"]


# ---- TLS and compression ----


@pytest.mark.parametrize("row, said, is_wrong", [
    (dict(), "", False),
    (dict(), "TLSv1.3 TLS_AES_128_GCM_SHA256 full", True),
    (dict(tls="1.3"), "TLSv1.3 TLS_AES_128_GCM_SHA256 full", False),
    (dict(tls="1.3"), "", True),
    (dict(tls="1.3"), "TLSv1.3 TLS_AES_256_GCM_SHA384 full", True),
    (dict(tls="1.3"), "TLSv1.3 TLS_AES_128_GCM_SHA256 resumed", True),
    (dict(tls="1.2", resumes=True), "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 resumed", False),
])
def test_a_cell_is_wrong_where_another_version_or_cipher_was_negotiated(row, said, is_wrong):
    row = rows.Row("x", "x", **row)
    if is_wrong:
        with pytest.raises(wire.Wrong):
            wire.check_tls(row, said)
    else:
        wire.check_tls(row, said)


@pytest.mark.parametrize("make, name", [(servers.nginx, "nginx.conf"), (servers.h2o, "h2o.conf"),
                                        (servers.lighttpd, "lighttpd.conf"), (servers.caddy, "Caddyfile")])
def test_every_peer_shows_the_same_certificate_and_only_over_tls(tmp_path, make, name):
    for variant in ("tls", ""):
        folder = tmp_path / variant / "server"
        folder.mkdir(parents=True)
        make(servers.Place(tmp_path, folder, tmp_path / "keys"), 10_000, variant)
        text = folder.joinpath(name).read_text()
        for file in (tls_setup.CERTIFICATE, tls_setup.KEY):
            assert (str(tmp_path / "keys" / file) in text) == (variant == "tls")


def test_files_without_neighbours_have_the_same_content(tmp_path):
    www.make(tmp_path / "www", quality=1)
    plain, mix = tmp_path / "www/plain", tmp_path / "www/mix"
    assert {path.name for path in plain.iterdir()} == {name for name, _ in www.MIX}
    assert all((plain / name).read_bytes() == (mix / name).read_bytes() for name, _ in www.MIX)
    assert (mix / "app.js.gz").exists()


# ---- locked instructions ----

CALLGRIND = """positions: instr
events: Ir
ob=(1) /bin/server
fn=(1) serve
0x1000 5
+4 7
cob=(2) /lib/c.so
cfn=(2) send
calls=3 0x2000
* 99
-4 1
ob=(2)
fn=(2)
0x2000 3
"""


def test_what_callgrind_counts_is_read_without_the_cost_of_calls(tmp_path):
    path = tmp_path / "out"
    path.write_text(CALLGRIND)
    assert load_script("locks").executed(path) == {
        ("/bin/server", 0x1000): 6, ("/bin/server", 0x1004): 7, ("/lib/c.so", 0x2000): 3}


def test_an_object_is_found_where_all_that_ran_begins_an_instruction():
    known = {0x10: 0, 0x14: 0, 0x1014: 0, 0x2018: 0}
    assert load_script("locks").shift_of([0x108014, 0x10A018], known) == 0x108000


# ---- disturbances ----

STAT = "cpu  1 2 3 4\ncpu0 10 0 10 500 100 0 0 0 0 0\ncpu1 0 0 0 100 0 0\ncpu11 0 0 0 900 0 0\nintr 5\n"


def test_idle_time_is_that_of_the_cpus_asked_for():
    assert quiet.idle_of(STAT, [0, 1]) * quiet.TICKS_A_SECOND == 700


@pytest.mark.parametrize("idle, own, share", [(1.5, 0.5, 0), (1.0, 0.5, 0.48), (0.0, 0.0, 1.98), (1.9, 0.5, 0)])
def test_what_was_busy_and_not_ours_is_foreign(idle, own, share):
    begin, end = quiet.Mark(0, 0, 0), quiet.Mark(1, idle, own)
    assert quiet.foreign_share(begin, end, 2) == pytest.approx(share)


def test_what_the_kernels_threads_did_is_not_foreign():
    begin, end = quiet.Mark(0, 0, 0, {7: 1.0, 8: 5.0}), quiet.Mark(1, 1.0, 0.5, {7: 1.4, 9: 3.0})
    assert quiet.foreign_share(begin, end, 2) == pytest.approx(0.08)


class Scripted(quiet.Quiet):
    """Shares that come one after the other."""

    def __init__(self, *shares):
        super().__init__([0], lambda: 0)
        self.shares = list(shares)

    def mark(self):
        return SimpleNamespace(at_s=self.began_s)

    def since(self, begin):
        return self.shares.pop(0)


@pytest.mark.parametrize("shares, kept, repeated, disturbed", [
    ((0.0,), 1, 0, 0),
    ((0.3, 0.0), 2, 1, 0),
    ((0.3, 0.2, 0.4), 2, 2, 1),
])
def test_a_disturbed_measurement_is_done_again_and_the_least_disturbed_is_kept(shares, kept, repeated, disturbed):
    watch, count = Scripted(*shares), []
    run = watch.watch(lambda: count.append(0) or {"cpu_us": len(count)}, "small")
    assert run["cpu_us"] == kept and not watch.shares
    assert (watch.repeated, watch.disturbed, watch.measured) == (repeated, disturbed, 1)
    assert ("rows small 1" in watch.words(0.0)[0]) == bool(disturbed)


def test_repeating_has_an_end_for_the_whole_run():
    watch = Scripted(*[0.5] * 4)
    watch.repeats_s = 1e9
    for _ in range(4):
        assert watch.watch(lambda: {"cpu_us": 1})["foreign"] == 0.5
    assert watch.repeated == 0 and not watch.is_quiet(0.0)
    assert "NOT QUIET" in "\n".join(watch.words(0.0))


def test_what_failed_or_does_not_exist_is_not_measured_again():
    for answer in (None, {"failed": "x"}):
        watch = Scripted(0.9)
        assert watch.watch(lambda answer=answer: answer) == answer and watch.measured == 0


def test_a_busy_start_is_not_quiet():
    watch = Scripted(0.0)
    watch.watch(lambda: {"cpu_us": 1})
    assert watch.is_quiet(0.0) and not watch.is_quiet(0.5)
