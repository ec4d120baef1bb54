#!/usr/bin/python3
"""A disk that fails: what clients are told, what goes on, and what a restart brings back."""

import glob
import http.client
import json
import os
import time
import unittest

import grpc

from tests import unittest_xml
from tests.crash import faults
from tests.e2e import annalsd
from tests.e2e.annalsd import CallError, passed, simple_history, started

A = annalsd.arn("a")
B = annalsd.arn("b")
# For events that no compression makes small.
NOISE = [os.urandom(130000).hex() for _ in range(4)]


class FailingDiskTest(unittest.TestCase):
    def setUp(self):
        self.disk = faults.Disk()
        # Small memtables, for tables to be written soon.
        self.server = annalsd.Annalsd("--store-memtables", "4", data_dir=self.disk.root + "/data",
                                      env=self.disk.environment())
        self.addCleanup(self.kill)
        self.connect()
        self.client.append(A, simple_history(3))

    def kill(self):
        if self.server.process.poll() is None:
            self.server.kill()

    def connect(self):
        self.client = annalsd.Client(self.server.grpc)
        self.addCleanup(self.client.close)

    def restart(self, lose=False):
        """Kills it, and starts it on a disk that is well again."""
        self.kill()
        if lose:
            self.disk.cut()
        else:
            self.disk.forget()
        self.server.start()
        self.connect()

    def error(self, function, *args, **more):
        with self.assertRaises(CallError) as caught:
            function(*args, **more)
        return caught.exception

    def append(self, arn, first, count=1):
        return self.client.append(arn, simple_history(count, first))

    def ids(self, arn):
        return [event.id for event in self.client.history(arn)]

    def livez(self):
        connection = http.client.HTTPConnection(self.server.ops, timeout=annalsd.WAIT_S)
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    def await_dead(self):
        for _ in range(annalsd.WAIT_S * 20):
            if self.livez()[0] == 503:
                return
            time.sleep(0.05)
        self.fail("/livez stays well")

    def await_line(self, text):
        deadline = time.monotonic() + annalsd.WAIT_S
        while text not in self.server.log():
            self.assertLess(time.monotonic(), deadline, self.server.log())
            time.sleep(0.05)

    def check_writes_stopped(self):
        """Reads go on, and nothing else does until a restart."""
        self.disk.set_rules()
        again = self.error(self.append, A, 4)
        self.assertEqual((again.code, again.reason),
                         (grpc.StatusCode.UNAVAILABLE, "WRITES_STOPPED"))
        self.assertIsNotNone(again.retry)
        gone = self.error(self.client.call, "DeleteExecution",
                          annalsd.length_delimited(1, A))
        self.assertEqual(gone.reason, "WRITES_STOPPED")
        self.assertEqual(self.ids(A), [1, 2, 3])
        self.assertEqual(self.client.describe(A).execution_arn, A)
        self.assertEqual(self.livez(), (
            503, "writes have stopped after one failed; only a restart helps\n"))

    def check_unknown(self, rule, lose):
        self.disk.set_rules(rule)
        unknown = self.error(self.append, A, 4, 2)
        self.assertEqual((unknown.code, unknown.reason),
                         (grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN"))
        self.assertIsNotNone(unknown.retry)
        self.check_writes_stopped()
        self.restart(lose)
        self.assertIn(self.ids(A), ([1, 2, 3], [1, 2, 3, 4, 5]))
        answer = self.append(A, 4, 2)
        self.assertEqual(answer.last_event_id, 5)
        self.assertEqual(self.ids(A), [1, 2, 3, 4, 5])
        self.assertEqual(self.livez(), (200, "ok\n"))

    def test_a_sync_of_the_log_fails(self):
        self.check_unknown("sync *.log 1 EIO", lose=False)
        failed = [json.loads(line) for line in self.server.log().splitlines() if "call failed" in line]
        self.assertEqual([(line["level"], line["reason"]) for line in failed], [
            ("error", reason) for reason in ("OUTCOME_UNKNOWN", "WRITES_STOPPED", "WRITES_STOPPED")])
        self.assertIn("Input/output error", failed[0]["detail"])

    def test_a_sync_of_the_log_fails_and_the_page_cache_is_lost(self):
        self.check_unknown("sync *.log 1 EIO", lose=True)

    def test_a_sync_of_the_log_fails_after_it_was_done(self):
        self.check_unknown("sync *.log 1 done,EIO", lose=True)

    def test_a_write_of_the_log_fails(self):
        self.check_unknown("write *.log 1 EIO", lose=False)

    def test_a_write_of_the_log_fails_half_way(self):
        self.check_unknown("write *.log 1 half,EIO", lose=False)

    def test_a_short_write_is_gone_on_with(self):
        self.disk.set_rules("write *.log 1 half")
        self.assertEqual(self.append(A, 4).last_event_id, 4)
        self.assertEqual(self.disk.faults(), [("write", "data/rocksdb/%s" % self.log_name())])
        self.restart(lose=True)
        self.assertEqual(self.ids(A), [1, 2, 3, 4])

    def log_name(self):
        return os.path.basename(max(glob.glob(self.disk.root + "/data/rocksdb/*.log")))

    def test_a_slow_sync_delays_and_nothing_else(self):
        self.disk.set_rules("sync *.log 1 delay=300")
        begin = time.monotonic()
        self.append(A, 4)
        self.assertGreater(time.monotonic() - begin, 0.3)
        self.assertEqual(self.ids(A), [1, 2, 3, 4])

    # ---- in the background -------------------------------------------------------------------

    def fill(self, count):
        """Appends until something fails, or so many times half a MiB. Returns how many were
        acknowledged, and the failure."""
        for i in range(count):
            try:
                self.client.append(B, [started()] if i == 0 else [
                    passed(i + 1, payload=NOISE[i % len(NOISE)][i:])])
            except CallError as error:
                return i, error
        return count, None

    def check_background(self, rule):
        self.disk.set_rules(rule)
        acknowledged, error = self.fill(400)
        self.assertIn(error.reason, ("OUTCOME_UNKNOWN", "WRITES_STOPPED"))
        self.await_dead()
        self.await_line('"level":"error","message":"not live","reason":"writes have stopped')
        self.check_writes_stopped()
        self.assertEqual(self.client.page(B, max_results=1, reverse_order=True).events[0].id,
                         acknowledged)
        self.restart(lose=True)
        last = self.client.page(B, max_results=1, reverse_order=True).events[0].id
        self.assertIn(last, (acknowledged, acknowledged + 1))
        self.append(A, 4)

    def test_a_flush_cannot_write_its_table(self):
        self.check_background("write *.sst 1 EIO")

    def test_a_flush_cannot_sync_its_table(self):
        self.check_background("sync *.sst 1 EIO")

    def test_the_manifest_cannot_be_written(self):
        self.check_background("write *MANIFEST* 1 EIO")

    def test_recovery_cannot_write_and_the_next_can(self):
        self.kill()
        for rule in "write *.sst 1 EIO", "sync *MANIFEST* 1 EIO", "rename *CURRENT 1 EIO":
            with self.subTest(rule):
                self.disk.forget()
                self.disk.set_rules(rule)
                done = annalsd.run_server(
                    "--data-dir", self.server.data_dir, "--grpc-listen", "127.0.0.1:0",
                    "--gateway-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0",
                    env=self.disk.environment())
                self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
                record = json.loads(done.stderr)
                self.assertIn(self.server.data_dir, record["error"])
                self.assertIn("Input/output error", record["error"])
        self.restart(lose=True)
        self.assertEqual(self.ids(A), [1, 2, 3])

    # ---- what cannot be read -----------------------------------------------------------------

    def table_count(self):
        return len(glob.glob(self.disk.root + "/data/rocksdb/*.sst"))

    def tables(self):
        """By size; not while compactions delete some."""
        return sorted(glob.glob(self.disk.root + "/data/rocksdb/*.sst"), key=os.path.getsize)

    def bring_to_disk(self):
        """A table with B's history, and nothing of it in memory."""
        self.assertEqual(self.fill(6), (6, None))
        self.restart()
        self.append(annalsd.arn("c"), 1, 3)

    def check_damaged(self, *calls):
        for call in calls:
            error = self.error(call)
            self.assertEqual((error.code, error.reason, error.message, error.metadata),
                             (grpc.StatusCode.DATA_LOSS, "DATA_CORRUPTED",
                              "stored data is damaged", {"execution_arn": B}))

    def check_others(self):
        """Everything but B keeps working."""
        self.assertEqual(self.ids(annalsd.arn("c")), [1, 2, 3])
        self.assertEqual(self.append(annalsd.arn("d"), 1, 120).last_event_id, 120)
        self.assertEqual(self.append(annalsd.arn("d"), 121, 20).last_event_id, 140)
        self.assertEqual(self.ids(annalsd.arn("d")), list(range(1, 141)))
        self.client.call("DeleteExecution", annalsd.length_delimited(1, annalsd.arn("d")))
        self.assertEqual(self.livez(), (200, "ok\n"))

    def test_a_table_that_cannot_be_read_for_a_while(self):
        self.bring_to_disk()
        self.disk.set_rules("read *.sst 1+ EIO")
        self.check_damaged(lambda: self.ids(B), lambda: self.append(B, 7))
        self.assertIn("Input/output error", self.server.log())
        self.assertIn(os.path.basename(self.tables()[-1]), self.server.log())
        self.check_others()
        self.disk.set_rules()
        self.assertEqual(self.ids(B), [1, 2, 3, 4, 5, 6])
        self.assertEqual(self.append(B, 7).last_event_id, 7)
        self.check_others()

    def damage(self):
        """Flips a byte in the midst of B's history. Returns where, and what the table was."""
        path = self.tables()[-1]
        with open(path, "r+b") as f:
            whole = f.read()
            f.seek(len(whole) // 2)
            f.write(bytes([whole[len(whole) // 2] ^ 1]))
        return path, whole

    filled = 0

    def fill_tables(self, count):
        """Appends, and so flushes, until there are so many tables."""
        for i in range(400):
            if self.table_count() >= count:
                return
            self.client.append(annalsd.arn("e"), [started()] if self.filled == 0 else [
                passed(self.filled + 1, payload=NOISE[i % len(NOISE)][i:])])
            self.filled += 1
        self.fail("%d tables" % self.table_count())

    def test_a_damaged_block(self):
        self.bring_to_disk()
        self.kill()
        path, whole = self.damage()
        self.restart()
        self.append(annalsd.arn("c"), 4)
        self.client.call("DeleteExecution", annalsd.length_delimited(1, annalsd.arn("c")))
        self.append(annalsd.arn("c"), 1, 3)
        self.check_damaged(lambda: self.ids(B))
        self.assertRegex(self.server.log(), "block checksum mismatch.*%s offset [0-9]+ size" %
                         os.path.basename(path))
        self.assertIn("compactions are off", self.server.log())
        self.check_others()
        # Without compactions, which would meet it and have all writes refused.
        self.fill_tables(10)
        self.check_others()
        self.restart()
        self.check_others()
        self.check_damaged(lambda: self.ids(B))
        self.fill_tables(22)
        self.kill()
        with open(path, "wb") as f:
            f.write(whole)
        self.assertTrue(os.path.exists(self.disk.root + "/data/rocksdb/DAMAGED"))
        self.restart()
        self.assertEqual(self.ids(B), [1, 2, 3, 4, 5, 6])
        self.assertFalse(os.path.exists(self.disk.root + "/data/rocksdb/DAMAGED"))
        for _ in range(annalsd.WAIT_S * 20):
            if self.table_count() < 16:
                break
            time.sleep(0.05)
        self.assertLess(self.table_count(), 16)
        self.check_others()

    def test_a_compaction_meets_the_damage_first(self):
        self.bring_to_disk()
        self.kill()
        self.damage()
        self.restart()
        error = None
        for i in range(400):
            try:
                self.client.append(annalsd.arn("e"), [started()] if i == 0 else [
                    passed(i + 1, payload=NOISE[i % len(NOISE)][i:])])
            except CallError as caught:
                error = caught
                break
        self.assertEqual(error.reason, "OUTCOME_UNKNOWN")
        self.assertEqual(self.livez()[0], 503)
        self.restart()
        self.append(annalsd.arn("c"), 4)
        self.assertEqual(self.ids(annalsd.arn("c")), [1, 2, 3, 4])
        self.check_damaged(lambda: self.ids(B))
        self.filled = self.client.page(annalsd.arn("e"), max_results=1,
                                       reverse_order=True).events[0].id
        self.fill_tables(22)
        self.assertEqual(self.livez(), (200, "ok\n"))

    # ---- full in the middle ------------------------------------------------------------------

    def await_room(self):
        """Appends to A until there is room; no append stops the writes meanwhile."""
        deadline = time.monotonic() + annalsd.WAIT_S
        while True:
            try:
                return self.append(A, 4)
            except CallError as error:
                self.assertEqual(error.reason, "NO_SPACE")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def check_full_for_a_while(self, rule):
        self.disk.set_rules(rule, "write *LOG 1+ ENOSPC")
        acknowledged, error = self.fill(400)
        self.assertEqual((error.code, error.reason),
                         (grpc.StatusCode.UNAVAILABLE, "NO_SPACE"))
        self.assertEqual(len(self.disk.faults()), 1, self.disk.faults())
        self.assertEqual(self.ids(A), [1, 2, 3])
        self.assertEqual(self.livez(), (200, "ok\n"))
        self.await_room()
        self.assertEqual(self.livez(), (200, "ok\n"))
        self.restart(lose=True)
        self.assertEqual(self.ids(A), [1, 2, 3, 4])
        self.assertEqual(self.ids(B), list(range(1, acknowledged + 1)))

    def test_a_flush_finds_the_disk_full_and_room_a_little_later(self):
        self.check_full_for_a_while("write *.sst 1 ENOSPC")

    def test_the_manifest_finds_the_disk_full_and_room_a_little_later(self):
        self.check_full_for_a_while("write *MANIFEST* 1 ENOSPC")

    def check_full(self, rule, reason):
        self.disk.set_rules(rule, "write *LOG 1+ ENOSPC")
        acknowledged, error = self.fill(400)
        self.assertEqual(error.reason, reason)
        self.assertEqual(self.ids(A), [1, 2, 3])
        self.restart(lose=True)
        last = self.client.page(B, max_results=1, reverse_order=True).events[0].id
        self.assertIn(last, (acknowledged, acknowledged + 1))
        self.assertEqual(self.ids(A), [1, 2, 3])
        self.append(A, 4)

    def test_the_disk_is_full_for_the_log(self):
        self.check_full("write *.log 10+ ENOSPC", "OUTCOME_UNKNOWN")

    def test_the_disk_is_full_for_tables(self):
        self.check_full("write *.sst 2+ ENOSPC", "NO_SPACE")


class DamagedLogTest(unittest.TestCase):
    """A byte of log, MANIFEST or CURRENT that has changed keeps the server from starting."""

    def setUp(self):
        self.server = annalsd.Annalsd()
        self.addCleanup(self.server.kill)
        with annalsd.Client(self.server.grpc) as client:
            for i in range(1, 31):
                client.append(A, simple_history(1, i, payload="x" * 90 * i))
        self.server.kill()
        self.store = self.server.data_dir + "/rocksdb/"

    def file(self, pattern):
        return max(glob.glob(self.store + pattern), key=os.path.getsize)

    def refused(self, path, offset, flips=(0x55,)):
        """Changes a byte in one way after another; then makes it what it was."""
        with open(path, "rb") as f:
            whole = f.read()
        for flip in flips:
            with open(path, "wb") as f:
                f.write(whole[:offset] + bytes([whole[offset] ^ flip]) + whole[offset + 1:])
            done = annalsd.run_server(
                "--data-dir", self.server.data_dir, "--grpc-listen", "127.0.0.1:0",
                "--gateway-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
            with self.subTest(os.path.basename(path), offset=offset, flip=flip):
                self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
                error = json.loads(done.stderr)["error"]
                self.assertIn("is damaged: %s: " % os.path.basename(path), error)
                self.assertIn("'annals verify'", error)
        with open(path, "wb") as f:
            f.write(whole)

    @staticmethod
    def fragments(path):
        """Where the headers of a log's records, and parts of them, are: checksum, size, type."""
        offsets, at = [], 0
        with open(path, "rb") as f:
            whole = f.read()
        while at < len(whole):
            if 32768 - at % 32768 < 7:
                at += 32768 - at % 32768
            offsets.append(at)
            at += 7 + int.from_bytes(whole[at + 4:at + 6], "little")
        return offsets

    def test_logs(self):
        log = self.file("*.log")
        fragments = self.fragments(log)
        self.assertGreater(os.path.getsize(log), 32768)
        last = fragments[-1]
        for offset in (0, fragments[10] + 5, os.path.getsize(log) // 2, last, last + 6,
                       os.path.getsize(log) - 1):
            self.refused(log, offset)
        # Sizes in the last block can look as if the log ended there.
        for offset in (fragments[-3] + 4, last + 4, last + 5):
            self.refused(log, offset, (0x01, 0x80))
        self.server.start()
        with annalsd.Client(self.server.grpc) as client:
            self.assertEqual([e.id for e in client.history(A)], list(range(1, 31)))

    def test_manifest_and_current(self):
        manifest = self.file("MANIFEST-*")
        self.refused(manifest, os.path.getsize(manifest) // 2)
        self.refused(manifest, self.fragments(manifest)[-1] + 4)
        self.refused(self.store + "CURRENT", 9)
        self.server.start()


if __name__ == "__main__":
    unittest_xml.main()
