#!/usr/bin/python3
"""Backups under load and through kills, and what restoring them brings back.

ANNALS_BACKUP_KILLS: how many backups are killed (1 or 2). ANNALS_BACKUP_MIB: how much there is to
copy then (8).
"""

import os
import shutil
import threading
import time
import unittest

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import (MACHINE_ARN, WAIT_S, CallError, HistoryEvent, passed, simple_history,
                               started)

WRITERS = 4
KILLS = int(os.environ.get("ANNALS_BACKUP_KILLS", "1" if annalsd.is_slow_build() else "2"))
MIB = int(os.environ.get("ANNALS_BACKUP_MIB", "8"))


def restore(*args):
    """Returns exit status, output and errors."""
    done = annalsd.run_cli("restore", *args, check=False)
    return done.returncode, done.stdout, done.stderr


def check(backups, *args):
    status, _, errors = restore("--check", backups, *args)
    assert status == 0, errors


class Writer(threading.Thread):
    """Appends to executions of its own by turns, ending some, and knows what was acknowledged."""

    def __init__(self, server, number):
        super().__init__()
        self.client = annalsd.Client(server.grpc)
        self.arns = [annalsd.arn("w%d-%d" % (number, i)) for i in range(5)]
        self.acknowledged = {arn: 0 for arn in self.arns}
        self.events = {arn: [started()] for arn in self.arns}
        self.stop = False
        self.start()

    def run(self):
        while not self.stop:
            for arn in self.arns:
                events = self.events[arn]
                done = self.acknowledged[arn]
                kind = ("FAILED", "REDRIVEN")[done // 7 % 2] if done % 7 == 6 else None
                event = passed(done + 1, payload='"%d"' % done) if kind is None else HistoryEvent(
                    id=done + 1, previous_event_id=done, timestamp=started().timestamp,
                    type="HISTORY_EVENT_TYPE_EXECUTION_" + kind)
                if done > 0:
                    events.append(event)
                self.client.append(arn, [events[-1]])
                self.acknowledged[arn] = done + 1
        self.client.close()


class UnderLoadTest(unittest.TestCase):
    def setUp(self):
        self.root = annalsd.new_dir()
        self.server = annalsd.Annalsd("--backup-dir", self.root)
        self.addCleanup(self.server.stop)
        self.client = annalsd.Client(self.server.grpc)
        self.addCleanup(self.client.close)
        self.writers = [Writer(self.server, i) for i in range(WRITERS)]

    def tearDown(self):
        for writer in self.writers:
            writer.stop = True
            writer.join()

    def wait_for_appends(self, count):
        """Waits until each execution has so many events more."""
        least = [n + count for w in self.writers for n in w.acknowledged.values()]
        deadline = time.monotonic() + WAIT_S
        while any(n < m for n, m in zip((n for w in self.writers for n in w.acknowledged.values()),
                                        least)):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def compare(self, data_dir, before):
        """The restored store has what was acknowledged before, a beginning of all, and agrees."""
        with annalsd.Annalsd(data_dir=data_dir) as server, annalsd.Client(server.grpc) as client:
            listed = {e.execution_arn: e for e in client.list_all(state_machine_arn=MACHINE_ARN)}
            for writer in self.writers:
                for arn in writer.arns:
                    events = client.history(arn)
                    self.assertGreaterEqual(len(events), before[arn])
                    self.assertEqual(events, writer.events[arn][:len(events)])
                    described = client.describe(arn)
                    self.assertEqual(described.status, listed[arn].status)
                    self.assertEqual(described.redrive_count, listed[arn].redrive_count)
                    turns = [e.type for e in events if e.type in (
                        HistoryEvent(type="HISTORY_EVENT_TYPE_EXECUTION_FAILED").type,
                        HistoryEvent(type="HISTORY_EVENT_TYPE_EXECUTION_REDRIVEN").type)]
                    self.assertEqual(described.status, 3 if len(turns) % 2 else 1)
                    self.assertEqual(client.append(arn, [passed(len(events) + 1)]).appended_count, 1)
            self.assertEqual(len(listed), 5 * WRITERS)

    def test_under_appends(self):
        self.wait_for_appends(3)
        acknowledged = []
        for _ in range(2):
            acknowledged.append({arn: n for w in self.writers for arn, n in w.acknowledged.items()})
            self.client.backup("load")
            self.wait_for_appends(5)
        for made, before in enumerate(acknowledged, 1):  # while the appends go on
            data_dir = os.path.join(annalsd.new_dir(), "made", "by", "restore")
            status, out, errors = restore(os.path.join(self.root, "load"), data_dir, "--backup",
                                          str(made))
            self.assertEqual((status, errors), (0, ""))
            self.assertIn("backup %d restored: begun " % made, out)
            self.compare(data_dir, before)


class RestoreTest(unittest.TestCase):
    """Of a small store whose tables, logs and lists are all in the backup."""

    @classmethod
    def setUpClass(cls):
        cls.root = annalsd.new_dir()
        cls.arn = annalsd.arn("e")
        server = annalsd.Annalsd("--backup-dir", cls.root)
        cls.addClassCleanup(server.stop)
        with annalsd.Client(server.grpc) as client:
            client.append(cls.arn, simple_history(40))
        server.restart()
        with annalsd.Client(server.grpc) as client:
            client.append(cls.arn, simple_history(10, first=41))
            client.backup("b")
            cls.token = client.page(cls.arn, max_results=20).next_token
            client.append(cls.arn, simple_history(10, first=51))
            client.backup("b")
            cls.server = server

    def setUp(self):
        self.backups = os.path.join(annalsd.new_dir(), "b")
        shutil.copytree(os.path.join(self.root, "b"), self.backups)
        self.data_dir = os.path.join(annalsd.new_dir(), "data")

    def files(self, made):
        with open(os.path.join(self.backups, "meta", made), encoding="ascii") as f:
            return [line.split()[0] for line in f.read().splitlines()[3:]]

    def last_event(self):
        with annalsd.Annalsd(data_dir=self.data_dir) as server:
            with annalsd.Client(server.grpc) as client:
                page = client.page(self.arn, max_results=20, next_token=self.token)
                self.assertEqual([e.id for e in page.events], list(range(21, 41)))
                return client.page(self.arn, reverse_order=True).events[0].id

    def test_newest_and_chosen(self):
        status, out, errors = restore("--list", self.backups)
        self.assertEqual((status, errors), (0, ""))
        self.assertRegex(out, r"^backup 1: begun .*Z, \d+ files, \d+\.\d MiB\n"
                              r"backup 2: begun .*Z, \d+ files, \d+\.\d MiB\n$")
        self.assertEqual(restore(self.backups, self.data_dir)[0], 0)
        self.assertEqual(self.last_event(), 60)
        shutil.rmtree(self.data_dir)
        os.makedirs(os.path.join(self.data_dir, "lost+found"))
        self.assertEqual(restore(self.backups, self.data_dir, "--backup=1")[0], 0)
        self.assertEqual(self.last_event(), 50)

    def test_what_cannot_be(self):
        for args, text in (
                ((self.backups, self.data_dir, "--backup", "7"),
                 "%s has no backup 7; it has: 1 2" % self.backups),
                ((self.data_dir, self.data_dir + "2"),
                 "%s is no directory of backups" % self.data_dir),
                ((self.backups, self.backups), "%s is not empty: it has " % self.backups)):
            status, out, errors = restore(*args)
            self.assertEqual((status, out), (1, ""))
            self.assertTrue(errors.startswith("annals: restore: " + text), errors)
        for args in ((), (self.backups,), (self.backups, "a", "b"), ("--check", "--list", "a"),
                     ("--check", "a", "b"), ("--backup=-1", "a", "b"), ("--endpoint", "x", "a", "b")):
            self.assertEqual(restore(*args)[0], 2, args)
        self.assertFalse(os.path.exists(self.data_dir))

    def test_damage_is_named(self):
        """Of each file, in a way of its own by turns."""
        for turn, file in enumerate(self.files("2")):
            path = os.path.join(self.backups, file)
            with open(path, "rb") as f:
                whole = f.read()
            half = len(whole) // 2
            flipped = whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1:]
            damaged = (flipped, whole[:-1], whole + b"x", None)[turn % 4] if whole else b"x"
            os.unlink(path)
            if damaged is not None:
                with open(path, "wb") as f:
                    f.write(damaged)
            self.refuse_damaged(file, damaged is None)
            self.assertEqual(os.listdir(self.data_dir), [])
            with open(path, "wb") as f:
                f.write(whole)
        check(self.backups)

    def refuse_damaged(self, file, is_gone):
        why = ("No such file or directory" if is_gone else
               "its checksum is not the one that the backup was made with")
        for args in ((self.backups, self.data_dir), ("--check", self.backups)):
            status, out, errors = restore(*args)
            self.assertEqual((status, out), (1, ""))
            self.assertEqual(errors, "annals: restore: %s/%s: %s\nannals: restore: backup 2 is "
                             "damaged: 1 of its %d files\n" % (self.backups, file, why,
                                                               len(self.files("2"))))

    def test_a_damaged_list(self):
        path = os.path.join(self.backups, "meta", "2")
        with open(path, encoding="ascii") as f:
            text = f.read()
        for damaged in (text[:-1], text + "x\n", "", text.replace("crc32", "crc31", 1),
                        text.replace("private/2/", "private/../", 1), text[text.index("\n") + 1:]):
            with open(path, "w", encoding="ascii") as f:
                f.write(damaged)
            status, _, errors = restore(self.backups, self.data_dir)
            self.assertEqual((status, errors), (1, (
                "annals: restore: %s: it is not the list of a backup's files\n"
                "annals: restore: backup 2 is damaged: its list of files\n" % path)), damaged)
        check(self.backups, "--backup=1")

    def test_one_that_was_cut_short(self):
        half = os.path.join(self.data_dir, "restoring", "rocksdb")
        os.makedirs(half)
        for path in os.path.join(half, "CURRENT"), os.path.join(self.data_dir, "page-token.key"):
            with open(path, "w", encoding="ascii") as f:
                f.write("half")
        done = annalsd.run_server("--data-dir", self.data_dir, "--grpc-listen", "127.0.0.1:0",
                                  "--gateway-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("a restore into '%s' has not ended: run it again" % self.data_dir, done.stderr)
        self.assertEqual(restore(self.backups, self.data_dir)[0], 0)
        self.assertEqual(sorted(os.listdir(self.data_dir)), ["page-token.key", "rocksdb"])
        self.assertEqual(self.last_event(), 60)


class KillTest(unittest.TestCase):
    def fill(self, server):
        """Appends what ends up in the tables that a backup has to copy."""
        with annalsd.Client(server.grpc) as client:
            for i in range(MIB):
                client.append(annalsd.arn("fill-%d" % i), [started()] + [
                    passed(j, payload='"%s"' % os.urandom(65000).hex()) for j in range(2, 10)])

    def test_killed_backups(self):
        root = annalsd.new_dir()
        path = os.path.join(root, "b")
        server = annalsd.Annalsd("--backup-dir", root)
        self.addCleanup(lambda: server.stop())
        with annalsd.Client(server.grpc) as client:
            client.append(annalsd.arn("first"), simple_history(3))
            made = client.backup("b").backup_id
        self.fill(server)
        for _ in range(KILLS):
            self.kill_while_backing_up(server, path)
            check(path, "--backup=%d" % made)
            server.start()
        with annalsd.Client(server.grpc) as client:
            client.append(annalsd.arn("first"), simple_history(3, first=4))
            made = client.backup("b", keep=1).backup_id
            self.assertEqual(os.listdir(os.path.join(path, "private")), [str(made)])
            self.assertEqual([n for n in os.listdir(os.path.join(path, "meta"))], [str(made)])
        data_dir = os.path.join(annalsd.new_dir(), "data")
        self.assertEqual(restore(path, data_dir)[0], 0)
        with annalsd.Annalsd(data_dir=data_dir) as other, annalsd.Client(other.grpc) as client:
            self.assertEqual(len(client.history(annalsd.arn("first"))), 6)
            for i in range(MIB):
                self.assertEqual(len(client.history(annalsd.arn("fill-%d" % i))), 9)

    def kill_while_backing_up(self, server, path):
        """Kills the server when the backup has begun to copy; it may have ended by then."""
        whole = set(os.listdir(os.path.join(path, "meta")))
        parts = set(os.listdir(os.path.join(path, "private")))
        ended = []

        def back_up():
            with annalsd.Client(server.grpc) as client:
                try:
                    client.backup("b")
                except CallError:
                    pass
            ended.append(True)

        thread = threading.Thread(target=back_up)
        thread.start()
        while not ended and set(os.listdir(os.path.join(path, "private"))) == parts:
            time.sleep(0.001)
        server.kill()
        thread.join()
        return set(os.listdir(os.path.join(path, "meta"))) == whole


if __name__ == "__main__":
    unittest_xml.main()
