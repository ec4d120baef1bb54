#!/usr/bin/python3
"""Executions are deleted some time after they ended: those that are due, whole, and no others.

ANNALS_RETENTION_KILLS kills the server in the middle of it more often.
"""

import os
import random
import sys
import threading
import time
import unittest

from annals.v1 import history_service_pb2
from annals.v1.history_service_pb2 import ExecutionStatus
from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import ARN_HEAD, WAIT_S, CallError, passed, started

KILLS = int(os.environ.get("ANNALS_RETENTION_KILLS", "3"))
LONG_AGO_S = 1700000000
GONE = "EXECUTION_DOES_NOT_EXIST"


def turn(event_id, name, seconds=LONG_AGO_S):
    event = annalsd.HistoryEvent(id=event_id, type="HISTORY_EVENT_TYPE_EXECUTION_" + name,
                                 previous_event_id=event_id - 1)
    event.timestamp.seconds = int(seconds)
    return event


def not_due():
    return time.time() + 3600


def closed(seconds=LONG_AGO_S, count=3):
    head = [started(int(seconds))]
    return (head + [passed(i, seconds=int(seconds)) for i in range(2, count)] +
            [turn(count, "SUCCEEDED", seconds)])


def arn(name, machine="Machine"):
    return "%sexecution:%s:%s" % (ARN_HEAD, machine, name)


def machine_arn(machine="Machine"):
    return "%sstateMachine:%s" % (ARN_HEAD, machine)


class RetentionTest(unittest.TestCase):
    def start(self, *options, **more):
        server = annalsd.Annalsd(*options, **more)
        self.addCleanup(server.stop)
        return server

    def client(self, server):
        client = annalsd.Client(server.grpc)
        self.addCleanup(client.close)
        return client

    def config(self, text):
        path = os.path.join(annalsd.new_dir(), "annalsd.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def names(self, client, machine="Machine"):
        executions = client.list_all(state_machine_arn=machine_arn(machine), max_results=1000)
        return sorted(e.execution_arn.rpartition(":")[2] for e in executions)

    def wait_for_names(self, client, expected, machine="Machine"):
        deadline = time.monotonic() + WAIT_S
        while self.names(client, machine) != expected:
            self.assertLess(time.monotonic(), deadline, self.names(client, machine))
            time.sleep(0.02)

    def assert_gone(self, call, *args):
        with self.assertRaises(CallError) as caught:
            call(*args)
        self.assertEqual(caught.exception.reason, GONE)

    def test_what_is_due_goes_and_what_runs_stays(self):
        server = self.start("--retention", "1s")
        client = self.client(server)
        client.append(arn("runs"), [started(LONG_AGO_S), passed(2)])
        client.append(arn("old"), closed())
        now = time.time()
        client.append(arn("new"), closed(now, 250))
        client.append(arn("later"), closed(not_due()))
        self.wait_for_names(client, ["later", "runs"])
        self.assertGreaterEqual(time.time(), int(now) + 2)
        self.assert_gone(client.history, arn("new"))
        self.assert_gone(client.describe, arn("new"))
        self.assertEqual(len(client.history(arn("runs"))), 2)
        server.restart()
        client = self.client(server)
        self.assertEqual(self.names(client), ["later", "runs"])
        self.assertEqual(server.stop(), 0)
        self.assertIn('"message":"retention pass","deleted":', server.log())

    def test_redrive_restarts_the_clock(self):
        server = self.start()
        client = self.client(server)
        client.append(arn("redriven"), closed())
        client.append(arn("reopened"), closed() + [turn(4, "REDRIVEN")])
        client.append(arn("redriven"), [turn(4, "REDRIVEN"), turn(5, "FAILED", not_due())])
        client.append(arn("old"), closed())
        server.args = ("--retention", "2s")
        server.restart()
        client = self.client(server)
        self.wait_for_names(client, ["redriven", "reopened"])
        # It goes when it ends, as that was long ago.
        client.append(arn("reopened"), [turn(5, "SUCCEEDED")])
        self.wait_for_names(client, ["redriven"])
        self.assertEqual(len(client.history(arn("redriven"))), 5)

    def test_off(self):
        for options in (), ("--retention", "0"):
            server = self.start(*options)
            client = self.client(server)
            client.append(arn("old"), closed())
            self.assertEqual(self.names(client), ["old"])
            self.assertEqual(server.stop(), 0)
            self.assertNotIn("retention pass", server.log())

    def test_each_state_machine_has_its_period(self):
        path = self.config("[annalsd]\nretention = 2s\n\n[retention]\n"
                           "# What auditors want.\n%s = never\n%s=36500d\n" % (
                               machine_arn("Audit*"), machine_arn("Long")))
        server = self.start("--config", path)
        client = self.client(server)
        for machine in "AuditA", "AuditB", "Long", "Machine":
            client.append(arn("old", machine), closed())
        self.wait_for_names(client, [])
        for machine in "AuditA", "AuditB", "Long":
            self.assertEqual(self.names(client, machine), ["old"])
        # The file is read again; what it says counts from then on.
        with open(path, "w", encoding="utf-8") as f:
            f.write("[retention]\n%s = never\n* = 2s\n" % machine_arn("AuditB"))
        server.reload("retention periods reloaded")
        self.wait_for_names(client, [], "AuditA")
        self.wait_for_names(client, [], "Long")
        self.assertEqual(self.names(client, "AuditB"), ["old"])
        # What cannot be read leaves all as it was.
        with open(path, "w", encoding="utf-8") as f:
            f.write("[retention]\n* = soon\n")
        server.reload("retention periods stay as they were")
        self.assertIn("%s:2: [retention] *: 'soon' is not a time such as 90d" % path, server.log())
        self.assertEqual(self.names(client, "AuditB"), ["old"])

    def test_what_cannot_be_meant_is_refused(self):
        path = self.config("")
        for text, message in (
                ("[retention]\n\n%s = 3x\n" % machine_arn(),
                 "%s:3: [retention] %s: '3x' is not a time such as 90d, 12h, 30m or 45s, nor 'never'"
                 % (path, machine_arn())),
                ("[retention]\n* = 0\n", "%s:2: [retention] *: '0' is not a time" % path),
                ("[retention]\nOrders = 3d\n",
                 "%s:2: [retention] Orders: 'Orders' is not the ARN of a state machine" % path),
                ("[retention]\n* = 3d\n* = 4d\n", "%s:3: [retention] *: it stands there twice" % path),
                ("[annalsd]\nretention = 90\n", "--retention: '90' is not a time"),
                ("[annalsd]\nretentions = 90d\n", "%s: unknown option retentions" % path),
                ("[retentions]\n* = 90d\n", "%s: unknown group [retentions]" % path)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            data_dir = os.path.join(annalsd.new_dir(), "data")
            done = annalsd.run_server("--config", path, "--data-dir", data_dir)
            self.assertIn(done.returncode, (1, 2))
            self.assertIn(message, done.stderr.replace('\\"', '"'))
            self.assertFalse(os.path.exists(data_dir))

    def test_watchers_are_told(self):
        server = self.start("--retention", "2s")
        client = self.client(server)
        client.append(arn("watched"), [started(LONG_AGO_S)])
        request = history_service_pb2.WatchExecutionHistoryRequest(
            execution_arn=arn("watched"), follow_redrives=True)
        call = client.channel.unary_stream("/annals.v1.HistoryService/WatchExecutionHistory")(
            request.SerializeToString(), timeout=WAIT_S)
        next(call)
        client.append(arn("watched"), [turn(2, "SUCCEEDED")])
        with self.assertRaises(annalsd.grpc.RpcError) as caught:
            for _ in call:
                pass
        self.assertEqual(CallError(caught.exception).reason, GONE)

    def test_stopping_interrupts_it(self):
        data_dir = os.path.join(annalsd.new_dir(), "data")
        server = self.start(data_dir=data_dir)
        client = self.client(server)
        for i in range(40):
            client.append(arn("e%d" % i), closed())
        server.args = ("--retention", "2s", "--retention-rate", "1")
        server.restart()
        client = self.client(server)
        deadline = time.monotonic() + WAIT_S
        while len(self.names(client)) == 40:
            self.assertLess(time.monotonic(), deadline)
        begin = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 20)

    # --- kill -9 ---

    def fill(self, client, count):
        """Some that run, some that are due, some that are not."""
        expected = {}
        for i in range(count):
            name = "e%04d" % i
            events = (closed(count=2 + i % 5), [started(LONG_AGO_S), passed(2)],
                      closed(not_due()))[i % 3]
            client.append(arn(name), events)
            expected[name] = events
        return expected

    def check(self, client, expected):
        """All that is there is whole, and what is not due is there; returns how many are left."""
        listed = {e.execution_arn.rpartition(":")[2]: e for e in client.list_all(
            state_machine_arn=machine_arn(), max_results=1000)}
        for i, (name, events) in enumerate(expected.items()):
            if name not in listed:
                self.assertEqual(i % 3, 0, name)
                self.assert_gone(client.describe, arn(name))
                self.assert_gone(client.history, arn(name))
                continue
            status = "EXECUTION_STATUS_" + ("RUNNING" if i % 3 == 1 else "SUCCEEDED")
            self.assertEqual(ExecutionStatus.Name(listed[name].status), status)
            self.assertEqual(ExecutionStatus.Name(client.describe(arn(name)).status), status)
            self.assertEqual(client.history(arn(name)), events)
        return len(listed)

    def test_kill_9(self):
        seed = int(os.environ.get("ANNALS_CRASH_SEED") or random.SystemRandom().getrandbits(32))
        print("ANNALS_CRASH_SEED=%d" % seed, file=sys.stderr, flush=True)
        dice = random.Random(seed)
        server = annalsd.Annalsd()
        self.addCleanup(server.kill)
        client = self.client(server)
        expected = self.fill(client, 300)
        counts = [300]
        for _ in range(KILLS):
            server.kill()
            server.args = ("--retention", "2s", "--retention-rate", "100")
            server.start()
            wanted = counts[-1] - dice.randrange(1, 2 + 100 // KILLS)
            with annalsd.Client(server.grpc) as client:
                while len(self.names(client)) > max(wanted, 200):
                    pass
            server.kill()
            server.args = ()
            server.start()
            with annalsd.Client(server.grpc) as client:
                counts.append(self.check(client, expected))
        print("left: %s" % counts, file=sys.stderr)
        self.assertLess(counts[-1], 300)
        server.kill()
        server.args = ("--retention", "2s", "--retention-rate", "0")
        server.start()
        with annalsd.Client(server.grpc) as client:
            while len(self.names(client)) > 200:
                pass
            self.assertEqual(self.check(client, expected), 200)

    def test_beside_writers_that_open_again(self):
        """Whoever is faster: an execution that runs is whole, and one that is gone is gone."""
        server = self.start("--retention", "1s", "--retention-rate", "0")
        client = self.client(server)
        outcomes = {"reopened": 0, "gone": 0}

        def race(i):
            name = arn("race%d" % i)
            with annalsd.Client(server.grpc) as mine:
                mine.append(name, closed())
                time.sleep(random.random() * 0.1)  # about as often as passes come
                try:
                    mine.append(name, [turn(4, "REDRIVEN")])
                    outcomes["reopened"] += 1
                    self.assertEqual(len(mine.history(name)), 4)
                except CallError as error:
                    self.assertEqual(error.reason, "EVENT_GAP")
                    outcomes["gone"] += 1
                    self.assert_gone(mine.history, name)

        for first in range(0, 64, 8):
            threads = [threading.Thread(target=race, args=(i,)) for i in range(first, first + 8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        print(outcomes, file=sys.stderr)
        self.assertEqual(sum(outcomes.values()), 64)
        self.assertEqual(len(self.names(client)), outcomes["reopened"])


if __name__ == "__main__":
    unittest_xml.main()
