#!/usr/bin/python3
"""annals verify: what it finds in a data directory, what it repairs, and how it says so."""

import json
import os
import unittest

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import run_cli, simple_history


def files_of(data_dir, ending):
    path = os.path.join(data_dir, "rocksdb")
    return sorted((os.path.join(path, name) for name in os.listdir(path) if name.endswith(ending)),
                  key=os.path.getsize)


def flip(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ 0x40]))


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
        self.assertEqual(err, "annals: verify: %s/rocksdb/LOCK holds no store: "
                              "No such file or directory\n" % self.dir)
        with annalsd.Annalsd(data_dir=self.dir):
            for options in ((), ("--repair",)):
                status, out, err = self.verify(*options)
                self.assertEqual((status, out), (2, ""))
                self.assertEqual(err, "annals: verify: %s/rocksdb is in use by another process\n"
                                 % self.dir)
        self.assertEqual(self.verify("--dry-run")[0], 2)
        self.assertEqual(run_cli("verify", check=False).returncode, 2)

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
        self.assertEqual(faults[0], {"file": name, "fault": "it does not fit its checksum",
                                     "repaired": False})
        self.assertEqual((faults[1]["file"], faults[1]["part"]), (name, "history"))
        self.assertRegex(faults[1]["fault"], "^cannot be read: Corruption: ")
        self.assertIn(faults[1]["executionArn"], self.arns)
        self.assertTrue(faults[-1]["summary"]["whole"])
        status, out, _ = self.verify()
        self.assertEqual(status, 1)
        self.assertEqual(out.splitlines()[0], name + ": it does not fit its checksum")

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


if __name__ == "__main__":
    unittest_xml.main()
