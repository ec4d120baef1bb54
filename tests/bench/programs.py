"""The programs of a run: servers on one processor, load on another."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

ARN = "arn:aws:states:us-east-1:123456789012:execution:bench:"
GET_PAGE = "/annals.v1.HistoryService/GetExecutionHistory"
WAIT_S = 60
SETTLE_S = 300


class Missing(Exception):
    """A tool that a figure needs is not there."""


class Sample:
    """What one measurement has found."""

    def __init__(self, rate, cpu_us=None, **more):
        self.rate = rate
        self.cpu_us = cpu_us  # of the server, for each
        self.more = more

    def __str__(self):
        cpu = "" if self.cpu_us is None else " at %.1f us" % self.cpu_us
        return "%.0f/s%s" % (self.rate, cpu)


def need(tool, package):
    if shutil.which(tool) is None:
        raise Missing("%s is not there: Debian's %s has it" % (tool, package))


class Server:
    """A program that prints a ready line with key=value words, or is silent."""

    def __init__(self, process, silent):
        self.process = process
        self.addresses = {}
        if silent:
            return
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("%s did not start" % process.args)
        self.addresses = dict(word.split("=", 1) for word in line.split() if "=" in word)

    def cpu_s(self):
        """Processor time of all threads so far."""
        total = 0
        tasks = "/proc/%d/task" % self.process.pid
        for task in os.listdir(tasks):
            try:
                with open("%s/%s/schedstat" % (tasks, task), encoding="ascii") as f:
                    total += int(f.read().split()[0])
            except FileNotFoundError:
                pass
        return total / 1e9

    def settle(self):
        """Waits until it has nothing to do any more: until compactions of what was loaded are done."""
        until = time.monotonic() + SETTLE_S
        busy = True
        while busy and time.monotonic() < until:
            before = self.cpu_s()
            time.sleep(0.2)
            busy = self.cpu_s() - before > 0.01

    def memory_bytes(self, key="VmRSS"):
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as f:
            return int(re.search(key + r":\s+(\d+) kB", f.read()).group(1)) * 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Programs:
    def __init__(self, bin_dir, work):
        self.bin_dir = bin_dir
        self.work = work
        self.servers = []
        processors = sorted(os.sched_getaffinity(0))
        self.server_processor, self.load_processor = processors[0], processors[-1]

    def path(self, name):
        return os.path.join(self.bin_dir, name)

    def new_dir(self):
        return tempfile.mkdtemp(dir=self.work)

    def new_file(self, data):
        number, path = tempfile.mkstemp(dir=self.work)
        with os.fdopen(number, "wb") as f:
            f.write(data)
        return path

    def start(self, *command, processor=None, env=None, silent=False):
        """Starts a server; command[0] is below the directory of programs, or absolute."""
        processor = self.server_processor if processor is None else processor
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ANNALS")}
        process = subprocess.Popen(
            ["taskset", "-c", str(processor), self.path(command[0]), *map(str, command[1:])],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env={**kept, **(env or {})})
        server = Server(process, silent)
        self.servers.append(server)
        return server

    def annalsd(self, data_dir, *options, env=None):
        return self.start("server/annalsd", "--data-dir", data_dir, "--log-level", "error",
                          "--grpc-listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0",
                          "--ops-listen", "127.0.0.1:0", *options,
                          env={"ANNALS_BALLAST": "0", **(env or {})})

    def stop(self, server):
        self.servers.remove(server)
        server.stop()

    def end(self):
        for server in list(self.servers):
            self.stop(server)

    def run(self, *command, processor=None, **more):
        """Runs a program to its end on the processor of loads; returns what it printed."""
        processor = self.load_processor if processor is None else processor
        done = subprocess.run(
            ["taskset", "-c", str(processor), self.path(command[0]), *map(str, command[1:])],
            stdout=subprocess.PIPE, text=True, check=True, **more)
        return done.stdout

    def values(self, *command, **more):
        """The same for a program that prints key=value words."""
        words = self.run(*command, **more).split()
        return {k: float(v) for k, v in (w.split("=", 1) for w in words if "=" in w)}

    def call(self, server, requests, in_flight, seconds, rate=None):
        """Unary calls of GetExecutionHistory; requests is a file of them."""
        before = server.cpu_s()
        more = [] if rate is None else [rate]
        values = self.values("tests/bench/grpc_load", server.addresses["grpc"], GET_PAGE, requests,
                             in_flight, seconds, *more)
        return Sample(values["calls_per_second"],
                      cpu_us=(server.cpu_s() - before) / values["calls"] * 1e6, **values)

    def requests(self, messages):
        """A file of requests for grpc_load."""
        return self.new_file(b"".join(len(m).to_bytes(4, "big") + m for m in messages))

    def fill(self, server, prefix, executions, events, event_bytes=260):
        """Histories written one event at a time; events below 0: they go on running."""
        self.run("tests/bench/history_load", server.addresses["grpc"], prefix,
                 min(executions, 1000), 1, event_bytes, events, executions, 0)


# --- protobuf, as far as requests and tokens need it --------------------------------------------


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def text_field(number, text):
    data = text.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def page_request(arn, max_results=0, token="", reverse=False, data=True):
    """A GetExecutionHistoryRequest."""
    out = text_field(1, arn)
    if max_results:
        out += varint(2 << 3) + varint(max_results)
    if token:
        out += text_field(3, token)
    if reverse:
        out += varint(4 << 3) + varint(1)
    if not data:
        out += varint(5 << 3 | 2) + varint(0)
    return out
