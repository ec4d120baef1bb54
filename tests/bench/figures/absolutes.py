"""What is measured without a baseline, or beside it: latency, memory, system calls, instructions."""

import re
import resource
import shutil
import signal
import socket
import subprocess

from figures.grpc_pages import Hot, Large
from programs import GET_PAGE, need

# What an HTTP/2 client says first: the preface, and SETTINGS that change nothing.
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
MIB = 1 << 20


class Pages:
    """Pages of 100 of the hot set, and an echo of as many bytes."""

    def prepare(self, bench):
        self.bench = bench
        self.programs = bench.programs
        self.hot = bench.fixture(Hot)
        self.requests = self.hot.requests()
        self.reply_bytes = int(self.call(self.hot.server, 0).more["reply_bytes"])

    def call(self, server, seconds, rate=None):
        return self.programs.call(server, self.requests, 64, seconds, rate)

    def echo(self):
        return self.programs.start("tests/bench/grpc_echo", self.reply_bytes)


class Latency(Pages):
    NAME = "latency"
    WHAT = "of pages of 100, from their turn to the answer, at half of the maximum rate"

    def measure(self):
        echo = self.echo()
        facts = {}
        for name, server in (("echo", echo), ("annalsd", self.hot.server)):
            most = self.call(server, self.bench.seconds).rate
            sample = self.call(server, self.bench.seconds, most / 2)
            facts[name + "_pages_per_second"] = sample.rate
            for part in ("p50_us", "p99_us", "p999_us"):
                facts["%s_%s" % (name, part)] = sample.more[part]
        self.programs.stop(echo)
        return facts


class Memory(Pages):
    NAME = "memory"
    WHAT = "resident: idle, with 10,000 connections, and at most with 256 readers of pages of 1000"
    CONNECTIONS = 10000

    def connect(self, address):
        host, port = address.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), timeout=60)
        connection.sendall(GREETING)
        return connection

    def measure(self):
        server = self.programs.annalsd(self.programs.new_dir())
        facts = {"idle_mib": server.memory_bytes() / MIB}
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        count = min(self.bench.scaled(self.CONNECTIONS, 10), hard - 100)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        connections = [self.connect(server.addresses["grpc"]) for _ in range(count)]
        for connection in connections:
            connection.recv(9, socket.MSG_WAITALL)
        facts["connections"] = count
        facts["connections_mib"] = server.memory_bytes() / MIB
        for connection in connections:
            connection.close()
        self.programs.stop(server)
        large = self.bench.fixture(Large)
        self.programs.call(large.server, large.requests(max_results=1000), 256, self.bench.seconds)
        facts["readers_mib"] = large.server.memory_bytes("VmHWM") / MIB
        return facts


class SystemCalls(Pages):
    NAME = "system_calls"
    WHAT = "of a page of 100, 64 in flight"

    def count(self, server):
        need("strace", "strace")
        out = self.programs.new_file(b"")
        strace = subprocess.Popen(["strace", "-f", "-c", "-p", str(server.process.pid), "-o", out],
                                  stderr=subprocess.PIPE, text=True)
        strace.stderr.readline()  # attached
        calls = self.call(server, self.bench.seconds).more["calls"]
        strace.send_signal(signal.SIGINT)
        strace.communicate()
        counts = {}
        with open(out, encoding="utf-8") as f:
            for line in f:
                words = line.split()
                if len(words) >= 5 and re.fullmatch(r"[0-9.]+", words[0]):
                    counts[words[-1]] = int(words[3]) / calls
        return counts

    def measure(self):
        echo = self.echo()
        facts = {}
        for name, server in (("echo", echo), ("annalsd", self.hot.server)):
            counts = self.count(server)
            for call in ("total", "sendmsg", "recvmsg", "epoll_wait", "futex"):
                facts["%s_%s" % (name, call)] = counts.get(call, 0)
        self.programs.stop(echo)
        return facts


class Instructions(Pages):
    NAME = "instructions"
    WHAT = "of a page of 100, 8 in flight, as callgrind counts them: the same on every machine"

    def count(self, *command):
        need("valgrind", "valgrind")
        out = self.programs.new_file(b"")
        server = self.programs.start(shutil.which("valgrind"), "--tool=callgrind", "--quiet",
                                     "--instr-atstart=no", "--callgrind-out-file=" + out,
                                     self.programs.path(command[0]), *command[1:])
        address, pid = server.addresses["grpc"], server.process.pid

        def load():
            return self.programs.values("tests/bench/grpc_load", address, GET_PAGE, self.requests, 8,
                                        0)["calls"]

        def collect(switch):
            subprocess.run(["callgrind_control", "-i", switch, str(pid)], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        load()  # from the disk
        load()  # from RocksDB's memory, from where runs are kept
        collect("on")
        calls = load()
        collect("off")
        self.programs.stop(server)
        with open(out, encoding="utf-8", errors="replace") as f:
            total = int(re.search(r"^totals: (\d+)", f.read(), re.M).group(1))
        return total / calls

    def measure(self):
        data_dir = self.hot.data_dir
        self.programs.stop(self.hot.server)
        facts = {
            "echo": self.count("tests/bench/grpc_echo", str(self.reply_bytes)),
            "annalsd": self.count("server/annalsd", "--data-dir", data_dir, "--log-level", "error",
                                  "--grpc-listen", "127.0.0.1:0", "--gateway-listen",
                                  "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"),
        }
        self.hot.server = self.programs.annalsd(data_dir)
        return facts


FIGURES = []
FACTS = [Latency, Memory, SystemCalls, Instructions]
