"""Whether the CPUs that are measured do anything else: their busy time, as the kernel counts it, less what this run and
its servers used. What a hypervisor takes away counts as somebody else's work, too. Imported by bench/load/run."""

import os
import resource
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import servers

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
IDLE, IOWAIT = 3, 4  # columns of /proc/stat
KTHREADD = 2  # the parent of the kernel's threads
# The kernel counts in ticks, and its own interrupts belong to nobody.
BLUR_S = 0.02
FOREIGN = 0.05  # of the time: more is a disturbance
MAX_REPEATS = 2  # of one measurement, if not told otherwise
REPEAT_SHARE = 0.15  # of the run's time: then everything is kept as it comes
MOST_NAMED = 5  # rows, on the page
DISTURBED_SHARE = 0.05  # of the measurements: with more of them the run was not quiet
LOOK_S, QUICK_LOOK_S, PATIENCE_S = 1.0, 0.3, 30  # before the first measurement


def idle_of(text, cpus):
    """Seconds for which these CPUs had nothing to do, from the text of /proc/stat."""
    ticks = 0
    for line in text.splitlines():
        name, *numbers = line.split()
        if name in {f"cpu{cpu}" for cpu in cpus}:
            ticks += int(numbers[IDLE]) + int(numbers[IOWAIT])
    return ticks / TICKS_A_SECOND


def used_by(usage):
    return usage.ru_utime + usage.ru_stime


def kernel_threads():
    """They take over network work where it is much, and write files back: where nobody else works, it is ours. (Of a
    compiler the kernel's threads are the least part.) None is seen from within a container."""
    return [pid for pid, parent in servers.parents().items() if parent == KTHREADD]


def clocks_of(pids):
    """{pid: seconds of CPU time}, of those that still run."""
    found = {}
    for pid in pids:
        try:
            found[pid] = time.clock_gettime_ns((~pid << 3) | 2) / 1e9
        except OSError:
            pass
    return found


@dataclass(frozen=True)
class Mark:
    """How much had been used at a moment."""
    at_s: float
    idle_s: float
    own_s: float
    kernel_s: dict = field(default_factory=dict)  # by thread


def foreign_share(begin, end, cpu_count):
    """The share of that time for which somebody else had one of the CPUs; at least 0."""
    took = end.at_s - begin.at_s
    busy = took * cpu_count - (end.idle_s - begin.idle_s)
    kernel = sum(end.kernel_s[pid] - begin.kernel_s[pid] for pid in end.kernel_s.keys() & begin.kernel_s.keys())
    foreign = busy - (end.own_s - begin.own_s) - kernel - BLUR_S
    return max(0.0, foreign / took) if took > 0 else 0.0


class Quiet:
    """Looks at the CPUs and keeps count. `servers_s` says how much CPU time the running servers have used."""

    def __init__(self, cpus, servers_s, repeats=MAX_REPEATS):
        self.cpus, self.servers_s, self.repeats = sorted(set(cpus)), servers_s, repeats
        self.threads = kernel_threads()
        self.measured = self.repeated = 0
        self.disturbed_in = Counter()  # by row
        self.began_s, self.repeats_s = time.monotonic(), 0.0

    def mark(self):
        own = used_by(resource.getrusage(resource.RUSAGE_SELF)) + used_by(resource.getrusage(resource.RUSAGE_CHILDREN))
        idle = idle_of(Path("/proc/stat").read_text(), self.cpus)
        return Mark(time.monotonic(), idle, own + self.servers_s(), clocks_of(self.threads))

    def since(self, begin):
        return foreign_share(begin, self.mark(), len(self.cpus))

    def may_repeat(self):
        return self.repeats_s < REPEAT_SHARE * max(60.0, time.monotonic() - self.began_s)

    @property
    def disturbed(self):
        return self.disturbed_in.total()

    def watch(self, measure, name=""):
        """Calls measure(), of the row with that name, until it was undisturbed, a few times. -> the run that was
        disturbed least, with that share."""
        best = None
        self.threads = kernel_threads()
        for number in range(1 + self.repeats):
            begin = self.mark()
            run = measure()
            share = self.since(begin)
            if run is None or "failed" in run:
                return run
            if number > 0:
                self.repeated += 1
                self.repeats_s += time.monotonic() - begin.at_s
            if best is None or share < best["foreign"]:
                best = run | {"foreign": round(share, 3)}
            if share <= FOREIGN or not self.may_repeat():
                break
        self.measured += 1
        if best["foreign"] > FOREIGN:
            self.disturbed_in[name] += 1
        return best

    def wait(self, patience_s=PATIENCE_S, look_s=LOOK_S):
        """Until nobody else is at work, for a while: a compiler may just have ended. -> the share others have."""
        limit = time.monotonic() + patience_s
        while True:
            begin = self.mark()
            time.sleep(look_s)
            share = self.since(begin)
            if share <= FOREIGN or time.monotonic() > limit:
                return share

    def is_quiet(self, share_before):
        return share_before <= FOREIGN and self.disturbed <= DISTURBED_SHARE * self.measured

    def words(self, share_before):
        """What the page says of it: one or two lines."""
        most = ", ".join(f"{name} {count}" for name, count in self.disturbed_in.most_common(MOST_NAMED))
        lines = [f"others' share of the two CPUs before the start {share_before:.0%}; of {self.measured} measurements "
                 f"{self.disturbed} were disturbed (others had more than {FOREIGN:.0%} of the time) and kept, "
                 f"{self.repeated} were done again for that" + (f"; most of them in the rows {most}" if most else "")]
        if not self.is_quiet(share_before):
            lines.append("THE MACHINE WAS NOT QUIET: these figures are not to be relied on, ratios say more")
        return lines
