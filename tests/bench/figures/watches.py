"""Watches against a bare server that streams the same messages."""

from programs import Sample

from figures.appends import Writable


class WatchFanout:
    NAME = "watch_fanout"
    WHAT = "events delivered a second to 1,000 watchers of 100 executions / bare streaming of the same"
    TARGET = 0.70

    def prepare(self, bench):
        self.programs = bench.programs
        self.watchers = bench.scaled(1000, 20)
        self.executions = max(self.watchers // 10, 2)
        self.events = max(int(100 * bench.seconds), 10)
        self.to = bench.fixture(Writable)
        self.bare = self.programs.start("tests/bench/stream_echo", self.watchers, self.events)

    def load(self, server, rate):
        before = server.cpu_s()
        values = self.programs.values(
            "tests/bench/watch_load", server.addresses["grpc"], self.to.prefix(), self.executions,
            self.watchers, self.events, rate)
        return Sample(values["delivered_per_second"],
                      cpu_us=(server.cpu_s() - before) / values["delivered"] * 1e6)

    def baseline(self):
        return self.load(self.bare, -1)

    def subject(self):
        return self.load(self.to.server, 0)

    def extra(self):
        self.programs.stop(self.bare)
        return {"events_of_each": self.events}


FIGURES = [WatchFanout]
