"""The crash harness: a real server under load that is killed, loses its page cache, starts again,
and is asked for all that it has acknowledged."""

import multiprocessing
import random
import sys
import time

from tests.crash import faults
from tests.crash.activities import NAMES
from tests.crash.load import Load, standing_of
from tests.e2e import annalsd
from tests.e2e.annalsd import MACHINE_ARN

MODES = ("kill", "lost", "torn")
START_S = 10  # a server is back by then, whatever it was killed at

# Where a process can die: {n} is chosen at random up to the number beside.
KILL_POINTS = (
    ("write *.log {n} die", 60),
    ("write *.log {n} half,die", 60),
    ("write *.log {n} done,die", 60),
    ("sync *.log {n} die", 60),
    ("sync *.log {n} done,die", 60),
    ("open *.log {n} done,die", 2),
    ("unlink *.log {n} die", 2),
    ("open *.sst {n} done,die", 2),
    ("write *.sst {n} half,die", 4),
    ("sync *.sst {n} die", 3),
    ("sync *.sst {n} done,die", 3),
    ("unlink *.sst {n} done,die", 2),
    ("write *MANIFEST* {n} half,die", 4),
    ("sync *MANIFEST* {n} die", 4),
    ("sync *MANIFEST* {n} done,die", 4),
    ("dirsync * {n} die", 4),
    ("dirsync * {n} done,die", 4),
)
# And while it starts.
START_POINTS = tuple((rule, min(most, 6)) for rule, most in KILL_POINTS) + (
    ("rename *CURRENT {n} die", 1),
    ("rename *CURRENT {n} done,die", 1),
)


class Harness:
    """A server on a disk, and the processes that load it.

    mode: kill, the page cache is kept; lost, all of it is lost; torn, a part, as chance has it.
    activities: names of what goes on beside (see activities.py).
    """

    def __init__(self, mode, seed, loads=2, activities=()):
        print("%s: seed %d" % (mode, seed), file=sys.stderr, flush=True)
        self.mode = mode
        self.chance = random.Random(seed)
        # Small ones have tables written and compacted all the time.
        self.memtables_mib = self.chance.choice((1, 4, 64))
        self.activities = [NAMES[name](self.chance.getrandbits(32)) for name in activities]
        self.disk = faults.Disk()
        self.progress = multiprocessing.get_context("spawn").Value("q", 0)
        self.loads = [Load(i, self.chance.getrandbits(32), self.progress) for i in range(loads)]
        self.kills = self.struck = self.lost_bytes = self.lost_names = 0
        self.start_s = []
        self.sums = {}
        self.server = None
        self.start()

    def start(self):
        for activity in self.activities:
            activity.before_start(self)
        begin = time.monotonic()
        args = ["--store-memtables", str(self.memtables_mib)] + [arg for activity in self.activities for arg in activity.server_args(self)]
        if self.server is None:
            self.server = annalsd.Annalsd("--log-level", "error", *args,
                                          data_dir=self.disk.root + "/data",
                                          env=self.disk.environment())
        else:
            self.server.start()
        self.start_s.append(time.monotonic() - begin)

    def close(self):
        for load in self.loads:
            load.stop()
        self.server.kill()

    def point(self, points):
        rule, most = self.chance.choice(points)
        return rule.format(n=self.chance.randint(1, most))

    def start_point(self):
        return self.point(START_POINTS)

    def after_death(self):
        """The process is dead: what its disk has lost is taken from it."""
        self.server.kill()
        self.kills += 1
        self.struck += bool(self.disk.faults())
        self.lose()

    def lose(self):
        """No process is there any more: takes from the disk what it loses with the last one."""
        if self.mode == "kill":
            self.disk.forget()
        else:
            lost, names = self.disk.cut(self.chance if self.mode == "torn" else None)
            self.lost_bytes += lost
            self.lost_names += names

    def run_until_death(self, kill_after, rules):
        """Loads the server until it has acknowledged so many calls, or dies of a rule."""
        self.disk.set_rules(*rules)
        aim = self.progress.value + kill_after
        for load in self.loads:
            load.ask("run", self.server.grpc)
        for activity in self.activities:
            activity.begin(self)
        seen, deadline = -1, 0
        while (self.progress.value < aim and self.server.process.poll() is None
               and not any(load.has_answer() for load in self.loads)):
            if self.progress.value != seen:
                seen, deadline = self.progress.value, time.monotonic() + annalsd.WAIT_S
            assert time.monotonic() < deadline, "no progress"
            time.sleep(0.001)
        self.server.process.kill()
        self.server.process.wait()
        for activity in self.activities:
            activity.end(self)
        answers = [load.answer() for load in self.loads]
        self.sums = {name: sum(a[name] for a in answers) for name in answers[0]}
        self.after_death()

    def start_and_die(self):
        """Kills the server while it recovers, if a rule strikes then."""
        self.disk.set_rules(self.start_point())
        try:
            self.start()
        except AssertionError:
            assert self.server.process.wait() == -9, self.server.log()[-4000:]
            self.after_death()
            return
        self.server.process.kill()
        self.after_death()

    def cycle(self):
        rules = [self.point(KILL_POINTS)] if self.chance.random() < 0.5 else []
        self.run_until_death(self.chance.randrange(20, 1000), rules)
        if self.chance.random() < 0.3:
            self.start_and_die()
        self.start()
        self.check()

    def check(self):
        for load in self.loads:
            load.ask("check", self.server.grpc)
        standings = {}
        for load in self.loads:
            standings.update(load.answer())
        with annalsd.Client(self.server.grpc) as client:
            check_listings(client, standings, self.chance)
        for activity in self.activities:
            activity.check(self)

    def summary(self):
        return ("%s: %d kills (%d by rule), %d appends with %d events and %d deletions "
                "acknowledged, %d calls cut off, %d bytes and %d names lost, start %.2f s at most" % (
                    self.mode, self.kills, self.struck, self.sums["appends"],
                    self.sums["acknowledged"], self.sums["deletions"], self.sums["cut_off"],
                    self.lost_bytes, self.lost_names, max(self.start_s)) +
                "".join(", " + activity.summary() for activity in self.activities))


def check_listings(client, expected, chance):
    """Compares listings and descriptions with what the histories say."""
    listed = client.list_all(state_machine_arn=MACHINE_ARN, max_results=1000)
    assert len(listed) == len(expected), (len(listed), len(expected))
    assert {e.execution_arn: standing_of(e) for e in listed} == expected
    for arn in chance.sample(sorted(expected), min(30, len(expected))):
        assert standing_of(client.describe(arn)) == expected[arn], arn
    for status in sorted({s for s, *_ in expected.values()}):
        selected = client.list_all(state_machine_arn=MACHINE_ARN, status_filter=status)
        assert sorted(e.execution_arn for e in selected) == sorted(
            arn for arn, (s, *_) in expected.items() if s == status), status
