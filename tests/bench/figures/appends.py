"""Durable appends over gRPC against RocksDB's own writes with sync."""

import os
import re
import shutil
import subprocess

from programs import ARN, Sample, need

EVENT_BYTES = 260


class Writable:
    """A server to append to."""

    def __init__(self, bench):
        self.programs = bench.programs
        self.server = self.programs.annalsd(self.programs.new_dir())
        self.used = 0

    def prefix(self):
        self.used += 1
        return "%sappend-%d-" % (ARN, self.used)

    def close(self):
        self.programs.stop(self.server)


class Appends:
    CLIENTS = 64
    AT_ONCE = 1
    EVENTS = 1000  # of an execution; then comes the next

    def prepare(self, bench):
        self.programs = bench.programs
        self.seconds = bench.seconds
        self.bench = bench
        self.to = bench.fixture(Writable)
        self.latencies = []

    def subject(self):
        before = self.to.server.cpu_s()
        values = self.programs.values(
            "tests/bench/history_load", self.to.server.addresses["grpc"], self.to.prefix(),
            self.CLIENTS, self.AT_ONCE, EVENT_BYTES, self.EVENTS, 0, self.seconds)
        self.latencies.append((values["p50_us"], values["p99_us"]))
        return Sample(values["events_per_second"],
                      cpu_us=(self.to.server.cpu_s() - before) / values["events"] * 1e6)

    def extra(self):
        half = sorted(self.latencies)[len(self.latencies) // 2]
        return {"p50_us": half[0], "p99_us": half[1]}


class Append1(Appends):
    NAME = "append_1"
    WHAT = "durable single-event appends a second, 64 clients / db_bench fillsync, 64 threads"
    TARGET = 0.60

    def prepare(self, bench):
        need("db_bench", "rocksdb-tools")
        super().prepare(bench)
        self.each = 5

    def baseline(self):
        """As many writes by each thread as take about the time; db_bench counts in thousands."""
        path = os.path.join(self.programs.new_dir(), "db")
        text = self.programs.run(
            shutil.which("db_bench"), "--benchmarks=fillsync", "--threads=%d" % self.CLIENTS,
            "--num=%d" % (self.each * 1000), "--value_size=%d" % EVENT_BYTES, "--db=%s" % path,
            processor=self.programs.server_processor, stderr=subprocess.DEVNULL)
        found = re.search(r"([0-9.]+) micros/op (\d+) ops/sec ([0-9.]+) seconds", text)
        shutil.rmtree(path)
        if float(found.group(3)) < self.seconds / 2:
            self.each = max(int(self.each * self.seconds / float(found.group(3))), self.each + 1)
            return self.baseline()
        return Sample(float(found.group(2)))


class Append1C256(Append1):
    NAME = "append_1_c256"
    WHAT = "the same with 256 clients and threads"
    TARGET = 0.80
    CLIENTS = 256


class Append100(Appends):
    NAME = "append_100"
    WHAT = "durable batches of 100 events, events a second, 8 clients / rocksdb_write with sync, 8 threads"
    TARGET = 0.60
    CLIENTS = 8
    AT_ONCE = 100
    EVENTS = 10000

    def baseline(self):
        path = os.path.join(self.programs.new_dir(), "db")
        values = self.programs.values(
            "tests/bench/store_write", path, self.CLIENTS, self.AT_ONCE, EVENT_BYTES, self.seconds,
            processor=self.programs.server_processor)
        shutil.rmtree(path)
        return Sample(values["events_per_second"])


FIGURES = [Append1, Append1C256, Append100]
