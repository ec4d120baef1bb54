#!/usr/bin/python3
"""A small disk that another file fills and frees again, to its last byte, under appends.

The disk is a tmpfs in a mount namespace of the test's own. ANNALS_FULL_DISK_ROUNDS has it filled
more often.
"""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import WAIT_S, CallError, passed, started

ROUNDS = int(os.environ.get("ANNALS_FULL_DISK_ROUNDS", "1"))
DISK_MIB = int(os.environ.get("ANNALS_FULL_DISK_MIB", "128"))
MARK_MIB, BALLAST_MIB = DISK_MIB // 8, DISK_MIB // 4
WRITERS = 4
INSIDE = "ANNALS_INSIDE_NAMESPACE"
NAMESPACES = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])
MOUNT = "mount -t tmpfs -o size=%dm none " % DISK_MIB


def why_not():
    """Tells why a disk cannot be mounted here, or None; gives the command that makes a namespace."""
    why = ""
    for command in NAMESPACES:
        try:
            done = subprocess.run([*command, "sh", "-c", MOUNT + '"$0"', annalsd.new_dir()],
                                  capture_output=True, text=True, timeout=WAIT_S)
        except OSError as error:
            return None, str(error)
        if done.returncode == 0:
            return command, None
        why = done.stderr.strip()
    return None, why


class Writer(threading.Thread):
    """Appends to one execution after another, and remembers what was acknowledged."""

    def __init__(self, address, name, pause_s=0.05):
        super().__init__(daemon=True)
        self.pause_s = pause_s
        self.address, self.name_ = address, name
        self.acknowledged, self.refused, self.others = [], 0, []
        self.over = False
        self.start()

    def event(self, execution, event_id):
        dice = random.Random("%s %d %d" % (self.name_, execution, event_id))
        return passed(event_id, payload='"%s"' % dice.randbytes(dice.randrange(8000)).hex())

    def history(self, execution):
        return [started()] + [self.event(execution, i) for i in range(2, 6)]

    def arn(self, execution):
        return annalsd.arn("%s-%d" % (self.name_, execution))

    def run(self):
        execution = 0
        with annalsd.Client(self.address) as client:
            while not self.over:
                try:
                    client.append(self.arn(execution), self.history(execution))
                    self.acknowledged.append(execution)
                    execution += 1
                    time.sleep(self.pause_s)
                except CallError as error:
                    if error.reason != "NO_SPACE":
                        self.others.append(error)
                        return
                    self.refused += 1
                    time.sleep(0.01)


class FullDiskTest(unittest.TestCase):
    def setUp(self):
        self.disk = annalsd.new_dir()
        subprocess.run(["sh", "-c", MOUNT + '"$0"', self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)
        self.filler = os.path.join(self.disk, "filler")

    def start(self, *options):
        # Small memtables: flushes and compactions are under way all the time.
        server = annalsd.Annalsd(
            "--min-free-space=%d" % MARK_MIB, "--ballast=%d" % BALLAST_MIB, "--store-memtables=10",
            "--memory-budget=256", *options, data_dir=os.path.join(self.disk, "data"))
        self.addCleanup(server.stop)
        return server

    def free_mib(self):
        disk = os.statvfs(self.disk)
        return disk.f_bavail * disk.f_frsize / (1 << 20)

    def fill_to(self, left_mib):
        """Fills the disk up to what is to be left."""
        with open(self.filler, "ab", buffering=0) as f:
            while self.free_mib() > left_mib:
                try:
                    f.write(bytes(1 << 18))
                except OSError:  # the last byte is gone
                    return
                time.sleep(0.002)

    def fill(self):
        """Fills it to the last byte, but not before the server has written what it had begun to."""
        # Once more where a compaction gave room back meanwhile.
        while os.path.getsize(os.path.join(self.disk, "data", "ballast")) > 0:
            self.fill_to(MARK_MIB // 2 - 1)
            time.sleep(0.01)
        self.wait_until_quiet()
        self.fill_to(0)

    def wait_until_quiet(self):
        since, free = time.monotonic(), self.free_mib()
        while time.monotonic() < since + 1:
            time.sleep(0.01)
            if self.free_mib() != free:
                since, free = time.monotonic(), self.free_mib()

    def wait(self, condition):
        deadline = time.monotonic() + WAIT_S
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def ready(self, server):
        host, _, port = server.ops.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=WAIT_S)
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    def check(self, server, writers):
        """All that was acknowledged is there."""
        with annalsd.Client(server.grpc) as client:
            for writer in writers:
                for execution in writer.acknowledged:
                    self.assertEqual(client.history(writer.arn(execution)), writer.history(execution))

    def log_count(self, server, text):
        return server.log().count('"message":"the disk %s' % text)

    def test_appends_end_and_go_on(self):
        server = self.start()
        ballast = os.path.join(self.disk, "data", "ballast")
        self.wait(lambda: os.path.exists(ballast))
        self.assertEqual(os.path.getsize(ballast), BALLAST_MIB << 20)
        writers = [Writer(server.grpc, "w%d" % i) for i in range(WRITERS)]
        for full in range(1, ROUNDS + 1):
            before = sum(len(w.acknowledged) for w in writers)
            self.wait(lambda: sum(len(w.acknowledged) for w in writers) > before + 20)
            self.fill()
            refused = [w.refused for w in writers]
            self.wait(lambda: all(w.refused > n + 5 for w, n in zip(writers, refused)))
            self.assertEqual(os.path.getsize(ballast), 0)
            self.assertEqual(self.ready(server), (
                200, "ok, but the disk is nearly full: appends are refused, reads and deletions go on\n"))
            self.check(server, writers)
            self.wait(lambda: self.log_count(server, "is nearly full") == full)
            os.unlink(self.filler)
            before = [len(w.acknowledged) for w in writers]
            self.wait(lambda: all(len(w.acknowledged) > n for w, n in zip(writers, before)))
            self.wait(lambda: self.log_count(server, "has room again") == full)
            self.wait(lambda: os.path.getsize(ballast) == BALLAST_MIB << 20)
            # A flush that found the disk full looks for room every 5 seconds.
            self.wait(lambda: self.ready(server) == (200, "ok\n"))
        for writer in writers:
            writer.over = True
            writer.join()
            self.assertEqual(writer.others, [])
        print("%d executions, %d appends refused" % (
            sum(len(w.acknowledged) for w in writers), sum(w.refused for w in writers)),
            file=sys.stderr)
        self.check(server, writers)
        self.assertEqual(self.log_count(server, "is nearly full"), ROUNDS)
        self.assertEqual(self.log_count(server, "has room again"), ROUNDS)
        server.restart()
        self.check(server, writers)

    def delete(self, client, arn):
        """Returns whether there was room for it: flushes may take all for a moment."""
        try:
            client.call("DeleteExecution", annalsd.history_service_pb2.DeleteExecutionRequest(
                execution_arn=arn).SerializeToString())
            return True
        except CallError as error:
            self.assertEqual(error.reason, "NO_SPACE")
            return False

    def test_the_server_fills_the_disk_itself(self):
        server = self.start()
        writers = [Writer(server.grpc, "w%d" % i, 0) for i in range(WRITERS)]
        self.fill_to(MARK_MIB + BALLAST_MIB)
        self.wait(lambda: all(w.refused > 20 for w in writers))
        self.assertGreater(self.free_mib(), 1)
        # Deletions go on.
        acknowledged = sum(len(w.acknowledged) for w in writers)
        with annalsd.Client(server.grpc) as client:
            for writer in writers:
                for execution in list(writer.acknowledged):
                    self.wait(lambda: self.delete(client, writer.arn(execution)))
        os.truncate(self.filler, 0)
        self.wait(lambda: sum(len(w.acknowledged) for w in writers) > acknowledged)
        for writer in writers:
            writer.over = True
            writer.join()
            self.assertEqual(writer.others, [])

    def test_starts_on_a_full_disk(self):
        server = self.start()
        writer = Writer(server.grpc, "w", 0)
        self.wait(lambda: len(writer.acknowledged) > 200)
        writer.over = True
        writer.join()
        # Killed, so that there is a log to recover, and then there is no room.
        server.process.send_signal(signal.SIGSTOP)
        self.fill_to(0)
        server.kill()
        server.start()
        self.assertEqual(os.path.getsize(os.path.join(self.disk, "data", "ballast")), 0)
        self.check(server, [writer])
        self.assertEqual(self.ready(server)[0], 200)
        with annalsd.Client(server.grpc) as client, self.assertRaises(CallError) as caught:
            client.append(annalsd.arn("new"), [started()])
        self.assertEqual(caught.exception.reason, "NO_SPACE")

    def test_does_not_start_without_any_room(self):
        """There is no ballast to give back."""
        data_dir = os.path.join(self.disk, "data")
        self.fill_to(0)
        done = annalsd.run_server("--data-dir", data_dir, "--grpc-listen", "127.0.0.1:0",
                                  "--gateway-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        self.assertEqual(json.loads(done.stderr)["error"],
                         "cannot open %s/rocksdb: the disk is full; free some of it first" % data_dir)


def main():
    if INSIDE not in os.environ:
        command, why = why_not()
        if command is not None:
            os.environ[INSIDE] = "1"
            os.execvp(command[0], [*command, sys.executable, *sys.argv])
        FullDiskTest.__unittest_skip__ = True
        FullDiskTest.__unittest_skip_why__ = "no disk can be mounted here: %s" % why
    unittest_xml.main()


if __name__ == "__main__":
    main()
