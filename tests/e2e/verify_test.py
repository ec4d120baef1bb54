#!/usr/bin/python3
"""annals verify: what it finds in a data directory, what it repairs, and how it says so."""

import json
import os
import time
import unittest

import grpc

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import flip, run_cli, simple_history


def files_of(data_dir, ending):
    path = os.path.join(data_dir, "rocksdb")
    return sorted((os.path.join(path, name) for name in os.listdir(path) if name.endswith(ending)),
                  key=os.path.getsize)


class VerifyTest(unittest.TestCase):
    def setUp(self):
        self.dir = annalsd.new_dir()
        self.arns = [annalsd.arn("verify-%d" % i) for i in range(5)]

    def fill(self):
        with annalsd.Annalsd(data_dir=self.dir) as server:
            with annalsd.Client(server.grpc) as client:
                for arn in self.arns:
                    client.append(arn, simple_history(10, payload='"%s"' % os.urandom(900).hex()))

    def verify(self, *options):
        done = run_cli("verify", self.dir, *options, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_a_clean_directory(self):
        self.fill()
        status, out, err = self.verify()
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^5 executions, 50 events, 0\.\d MiB read: 0 faults\n$")
        status, out, _ = self.verify("--json")
        self.assertEqual(status, 0)
        summary = json.loads(out)["summary"]
        self.assertGreater(summary.pop("bytes"), 90000)
        self.assertEqual(summary, {"executions": 5, "events": 50, "faults": 0, "repaired": 0,
                                   "uncheckedFiles": 0, "whole": True})
        status, out, _ = self.verify("--repair")
        self.assertEqual(status, 0)
        with annalsd.Annalsd(data_dir=self.dir) as server:
            with annalsd.Client(server.grpc) as client:
                self.assertEqual(len(client.history(self.arns[4])), 10)

    def test_what_cannot_be_checked(self):
        status, out, err = self.verify()
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(err, "annals: verify: %s/rocksdb holds no store: "
                              "No such file or directory\n" % self.dir)
        with annalsd.Annalsd(data_dir=self.dir):
            for options in ((), ("--repair",)):
                status, out, err = self.verify(*options)
                self.assertEqual((status, out), (2, ""))
                self.assertEqual(err, "annals: verify: %s/rocksdb is in use by another process\n"
                                 % self.dir)
        for options in (("--dry-run",), ("other",), ("--rate", "-1")):
            self.assertEqual(self.verify(*options)[0], 2)
        self.assertEqual(run_cli("verify", "--repair", check=False).returncode, 2)

    def test_a_damaged_table(self):
        self.fill()
        with annalsd.Annalsd(data_dir=self.dir):  # writes what the log holds into tables
            pass
        table = files_of(self.dir, ".sst")[-1]
        flip(table, 5000)
        name = os.path.basename(table)
        status, out, _ = self.verify("--json")
        self.assertEqual(status, 1)
        faults = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(faults[0], {"file": name, "part": "history", "repaired": False,
                                     "fault": "it does not fit its checksum"})
        self.assertEqual((faults[1]["file"], faults[1]["part"]), (name, "history"))
        self.assertRegex(faults[1]["fault"], "^cannot be read: Corruption: ")
        self.assertIn(faults[1]["executionArn"], self.arns)
        self.assertTrue(faults[-1]["summary"]["whole"])
        status, out, _ = self.verify()
        self.assertEqual(status, 1)
        self.assertEqual(out.splitlines()[0],
                         "history " + name + ": it does not fit its checksum")

    def test_a_damaged_log(self):
        self.fill()
        log = files_of(self.dir, ".log")[-1]
        flip(log, 5)
        name = os.path.basename(log)
        status, out, _ = self.verify()
        self.assertEqual(status, 1)
        self.assertEqual(out.splitlines()[0].partition(":")[0], name)
        done = annalsd.run_server("--data-dir", self.dir)
        self.assertEqual(done.returncode, 1)
        self.assertIn("%s/rocksdb is damaged: %s: " % (self.dir, name), done.stderr)

    def test_what_no_repair_mends(self):
        """Damage that the store cannot be opened with: it is named, and nothing is changed."""
        self.fill()
        with annalsd.Annalsd(data_dir=self.dir):
            pass
        manifest = next(p for p in files_of(self.dir, "") if "MANIFEST" in p)
        current = files_of(self.dir, "CURRENT")[0]
        tables = files_of(self.dir, ".sst")  # the smallest has the schema version
        for path, offset in ((current, 3), (tables[-1], -3), (manifest, -1), (tables[0], 10)):
            size = os.path.getsize(path)
            flip(path, offset % size)
            with open(path, "rb") as f:
                damaged = f.read()
            for options in ((), ("--repair",)):
                with self.subTest(path, options=options):
                    status, out, err = self.verify(*options)
                    self.assertEqual(status, 1)
                    self.assertIn(os.path.basename(path) + ": ", out.splitlines()[0])
                    self.assertTrue(out.endswith(" 1 faults; not all could be checked\n"), out)
                    self.assertEqual(err, "annals: verify: this damage keeps the store from being "
                                          "opened, and a repair does not mend it: restore a backup, "
                                          "see Verify and repair in deploy/README.md\n")
            with open(path, "rb") as f:
                self.assertEqual(f.read(), damaged)
            flip(path, offset % size)
        self.assertEqual(self.verify()[0], 0)


class OnlineTest(unittest.TestCase):
    """VerifyStore, of a server that goes on meanwhile."""

    def setUp(self):
        self.dir = annalsd.new_dir()
        self.arns = [annalsd.arn("online-%d" % i) for i in range(8)]

    def start(self, *options):
        server = annalsd.Annalsd(*options, data_dir=self.dir)
        self.addCleanup(lambda: server.process.poll() is None and server.stop())
        return server

    def fill(self):
        """Some megabytes, in tables."""
        with annalsd.Annalsd(data_dir=self.dir) as server:
            with annalsd.Client(server.grpc) as client:
                for arn in self.arns:
                    client.append(arn, simple_history(10, payload='"%s"' % os.urandom(30000).hex()))
        with annalsd.Annalsd(data_dir=self.dir):
            pass

    def verify(self, server, *options, env=None):
        done = run_cli("verify", "--endpoint", server.grpc, *options, check=False, env=env)
        return done.returncode, done.stdout, done.stderr

    def test_a_store_that_is_in_use(self):
        self.fill()
        server = self.start()
        with annalsd.Client(server.grpc) as client:
            client.append(annalsd.arn("new"), simple_history(3))
            status, out, err = self.verify(server, "--rate", "100")
            self.assertEqual((status, err), (0, ""))
            self.assertRegex(out, r"^9 executions, 83 events, \d+\.\d MiB read: 0 faults\n$")
            status, out, _ = self.verify(server, "--json")
            self.assertEqual(status, 0)
            self.assertTrue(json.loads(out)["summary"]["whole"])
            answers = list(client.verify(max_bytes_per_second=1 << 30))
            self.assertTrue(answers[-1].done)
            self.assertEqual(answers[-1].counts.executions, 9)
            self.assertEqual([a.done for a in answers[:-1]], [False] * (len(answers) - 1))

    def test_what_is_damaged(self):
        self.fill()
        table = files_of(self.dir, ".sst")[-1]
        flip(table, 100000)
        server = self.start()
        status, out, _ = self.verify(server)
        self.assertEqual(status, 1)
        lines = out.splitlines()
        self.assertEqual(lines[0], "history %s: it does not fit its checksum"
                         % os.path.basename(table))
        self.assertRegex(lines[1], "^history arn:.* cannot be read: Corruption: ")
        self.assertRegex(lines[-1], r"^8 executions, \d+ events, .* MiB read: \d+ faults$")
        whole = 0
        with annalsd.Client(server.grpc) as client:
            for arn in self.arns:
                try:
                    whole += len(client.history(arn)) == 10
                except annalsd.CallError as error:
                    self.assertEqual(error.reason, "DATA_CORRUPTED")
        self.assertEqual(whole, 7)

    def test_one_at_a_time_and_as_long_as_somebody_waits(self):
        self.fill()
        server = self.start()
        with annalsd.Client(server.grpc) as client:
            slow = client.verify(max_bytes_per_second=1000)
            self.assertFalse(next(slow).done)
            with self.assertRaises(grpc.RpcError) as raised:
                list(client.verify())
            self.assertEqual(raised.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)
            self.assertEqual(raised.exception.details(), "another check is under way")
            slow.cancel()
            deadline = time.monotonic() + annalsd.WAIT_S
            while self.verify(server)[0] == 2:
                self.assertLess(time.monotonic(), deadline)
            with self.assertRaises(grpc.RpcError) as raised:
                list(client.verify(max_bytes_per_second=-1))
            self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
            slow = client.verify(max_bytes_per_second=1000)
            next(slow)
            self.assertEqual(server.stop(), 0)
            with self.assertRaises(grpc.RpcError) as raised:
                list(slow)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_permission(self):
        path = os.path.join(annalsd.new_dir(), "credentials")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as f:
            for name, rule in (("other", "annals:* states:* annals-admin:CreateBackup on *"),
                               ("operator", "annals-admin:VerifyStore on *")):
                f.write("[%s]\ntoken = token-of-the-%s\nallow = %s\n" % (name, name, rule))
        server = self.start("--credentials-file", path)
        for name, expected in (("other", 2), ("operator", 0)):
            status, _, err = self.verify(server, env={"ANNALS_TOKEN": "token-of-the-%s" % name})
            self.assertEqual(status, expected, err)
            self.assertEqual("PERMISSION_DENIED" in err, expected == 2, err)


if __name__ == "__main__":
    unittest_xml.main()
