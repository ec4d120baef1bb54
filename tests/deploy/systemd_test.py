#!/usr/bin/python3
"""The unit of systemd, and what the server tells systemd, which a socket here plays."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
import unittest
from unittest import mock

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import Annalsd, CallError, passed, started

UNIT = "deploy/systemd/annalsd.service"
# What `systemd-analyze security` says, times ten: it may fall, not rise.
EXPOSURE_MAX = 12
WATCHDOG_US = 400000
FILE_BYTES = 1 << 20


class Systemd:
    """Receives what a service says of itself."""

    def __init__(self):
        # The path of a socket is short.
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(b"\0annals-systemd-test-%d" % os.getpid())
        self.socket.settimeout(annalsd.WAIT_S)
        self.environment = {"NOTIFY_SOCKET": "@annals-systemd-test-%d" % os.getpid()}

    def close(self):
        self.socket.close()

    def next(self):
        """The next message, as a dictionary."""
        text = self.socket.recv(4096).decode()
        return dict(line.split("=", 1) for line in text.splitlines())

    def next_but_beats(self):
        while True:
            message = self.next()
            if message != {"WATCHDOG": "1"}:
                return message

    def falls_silent(self, seconds):
        """Tells whether nothing comes for so long, sooner or later."""
        deadline = time.monotonic() + annalsd.WAIT_S
        self.socket.settimeout(seconds)
        while time.monotonic() < deadline:
            try:
                self.socket.recv(4096)
            except socket.timeout:
                return True
        return False


def patient_server():
    """annalsd that lives on when a file would become larger than it may. It logs to nobody."""
    path = os.path.join(annalsd.new_dir(), "annalsd")
    with open(path, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\ntrap '' XFSZ\nexec %s \"$@\" 2>/dev/null\n"
                % os.path.realpath(annalsd.SERVER))
    os.chmod(path, 0o755)
    return path


class NotifyTest(unittest.TestCase):
    def setUp(self):
        self.systemd = Systemd()
        self.addCleanup(self.systemd.close)

    def test_without_watchdog(self):
        with Annalsd(env=self.systemd.environment) as server:
            self.assertEqual(self.systemd.next(), {
                "READY": "1", "STATUS": server.ready_line[len("annalsd ready "):-1]})
            server.process.send_signal(signal.SIGHUP)
            reloading = self.systemd.next()
            self.assertEqual(reloading.pop("RELOADING"), "1")
            self.assertGreater(int(reloading.pop("MONOTONIC_USEC")), 0)
            self.assertEqual(reloading, {})
            self.assertEqual(self.systemd.next(), {"READY": "1"})
        self.assertEqual(self.systemd.next(), {"STOPPING": "1"})

    def test_beats(self):
        with Annalsd(env={**self.systemd.environment, "WATCHDOG_USEC": str(WATCHDOG_US)}):
            self.assertEqual(self.systemd.next()["READY"], "1")
            for _ in range(3):
                self.assertEqual(self.systemd.next(), {"WATCHDOG": "1"})
        self.assertEqual(self.systemd.next_but_beats(), {"STOPPING": "1"})

    def test_watchdog_of_another_process(self):
        with Annalsd(env={**self.systemd.environment, "WATCHDOG_USEC": str(WATCHDOG_US),
                          "WATCHDOG_PID": "1"}):
            self.assertEqual(self.systemd.next()["READY"], "1")
            self.assertTrue(self.systemd.falls_silent(4 * WATCHDOG_US / 1e6))

    def stop_writes(self, server):
        """Appends until a file cannot grow, and once more. Returns how both failed."""
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
        reasons = []
        with annalsd.Client(server.grpc) as client:
            client.append(annalsd.arn("a"), [started()])
            event_id = 2
            while len(reasons) < 2:
                try:
                    event = passed(event_id, payload='"%s"' % ("x" * 200000))
                    client.append(annalsd.arn("a"), [event])
                    event_id += 1
                except CallError as error:
                    reasons.append(error.reason)
        return reasons

    def test_one_that_is_not_live_beats_no_more(self):
        with mock.patch.object(annalsd, "SERVER", patient_server()), \
                Annalsd(env={**self.systemd.environment, "WATCHDOG_USEC": str(WATCHDOG_US)}) as server:
            self.assertEqual(self.stop_writes(server), ["OUTCOME_UNKNOWN", "WRITES_STOPPED"])
            self.assertTrue(self.systemd.falls_silent(4 * WATCHDOG_US / 1e6))

    def test_nobody_to_tell(self):
        with Annalsd(env={"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "1000000"}) as server:
            with annalsd.Client(server.grpc) as client:
                client.append(annalsd.arn("a"), [started()])


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
class UnitTest(unittest.TestCase):
    def analyze(self, *args):
        return subprocess.run(["systemd-analyze", "--no-pager", *args], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=annalsd.WAIT_S)

    def test_is_one(self):
        """With the server where it was built, in place of where it is to be installed."""
        with open(UNIT, encoding="ascii") as f:
            text = f.read()
        path = os.path.join(annalsd.new_dir(), "annalsd.service")
        with open(path, "w", encoding="ascii") as f:
            f.write(text.replace("ExecStart=/usr/bin/annalsd", "ExecStart=" +
                                 os.path.realpath(annalsd.SERVER)))
        done = self.analyze("verify", "--man=no", path)
        said = [line for line in done.stdout.splitlines() if "annalsd.service" in line]
        self.assertEqual((done.returncode, said), (0, []), done.stdout)

    def test_exposure(self):
        done = self.analyze("security", "--offline=true", "--threshold=%d" % EXPOSURE_MAX,
                            os.path.realpath(UNIT))
        found = re.search(r"exposure level for annalsd.service: (\d+)\.(\d)", done.stdout)
        self.assertIsNotNone(found, done.stdout)
        self.assertEqual(done.returncode, 0, found.group(0))

    def test_waits_for_the_drain(self):
        """It stops the server no sooner than the server's own defaults let it."""
        with open(UNIT, encoding="ascii") as f:
            stop_s = int(re.search(r"^TimeoutStopSec=(\d+)s$", f.read(), re.M).group(1))
        text = annalsd.run_server("--help").stdout
        drain_s = sum(int(re.search(r"--drain-%s=SECONDS .*\((\d+)\)" % name, text).group(1))
                      for name in ("delay", "timeout"))
        self.assertGreater(stop_s, drain_s + 30)


if __name__ == "__main__":
    unittest_xml.main()
