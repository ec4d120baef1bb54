"""Watches against a bare server that streams the same messages."""

import statistics

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
        self.events_per_message = []

    def load(self, server, rate):
        before = server.cpu_s()
        values = self.programs.values(
            "tests/bench/watch_load", server.addresses["grpc"], self.to.prefix(), self.executions,
            self.watchers, self.events, rate)
        return Sample(values["delivered_per_second"],
                      cpu_us=(server.cpu_s() - before) / values["delivered"] * 1e6, **values)

    def baseline(self):
        return self.load(self.bare, -1)

    def subject(self):
        """As fast as it goes: a watcher that is behind gets several events in a message."""
        sample = self.load(self.to.server, 0)
        self.events_per_message.append(sample.more["delivered"] / sample.more["messages"])
        return sample

    def extra(self):
        self.programs.stop(self.bare)
        return {"events_of_each": self.events,
                "events_per_message": statistics.median(self.events_per_message)}


FIGURES = [WatchFanout]
