#!/usr/bin/python3
"""kill -9 under concurrent appends: what was acknowledged is there, in order, and once, and listed as
it is.

ANNALS_CRASH_SEED repeats a run's choices.
"""

import os
import random
import sys
import threading
import unittest

import grpc

from annals.v1.history_event_pb2 import HistoryEventType
from annals.v1.history_service_pb2 import ExecutionStatus
from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import MACHINE_ARN, CallError, HistoryEvent, passed, started

KILLS = 20
WRITERS = 12
TURNS = ("FAILED", "SUCCEEDED", "ABORTED", "REDRIVEN")
TYPES = {HistoryEventType.Value("HISTORY_EVENT_TYPE_EXECUTION_" + turn): turn
         for turn in ("STARTED", *TURNS)}


class Writer:
    """Appends to an execution until the server dies; then does the same append again."""

    def __init__(self, name, seed, executions, batch_max, payload_max):
        self.random = random.Random(seed)
        self.arns = [annalsd.arn("%s-%d" % (name, i)) for i in range(executions)]
        self.events = {arn: [] for arn in self.arns}  # acknowledged
        self.pending = {}  # arn: events of an append without an answer
        self.batch_max = batch_max
        self.payload_max = payload_max
        self.acknowledged = 0
        self.failure = None

    def make(self, event_id):
        if event_id == 1:
            return started()
        if self.random.random() < 0.05:
            return HistoryEvent(id=event_id, previous_event_id=event_id - 1,
                                type="HISTORY_EVENT_TYPE_EXECUTION_" + self.random.choice(TURNS),
                                timestamp=started().timestamp)
        return passed(event_id, payload="x" * self.random.randrange(self.payload_max))

    def append(self, client, arn, events):
        """Returns whether the server answered."""
        self.pending[arn] = events
        try:
            answer = client.append(arn, events)
        except CallError as error:
            # Cut off, or not reached: anything else is an answer, and wrong.
            if error.reason is not None or error.code not in (
                    grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                raise
            return False
        assert answer.last_event_id == events[-1].id, answer
        assert answer.appended_count + answer.already_stored_count == len(events), answer
        assert answer.already_stored_count in (0, len(events)), answer
        assert answer.adjusted_timestamp_count == 0, answer
        self.events[arn] += events
        del self.pending[arn]
        return True

    def run(self, address, on_progress):
        try:
            with annalsd.Client(address) as client:
                for arn, events in list(self.pending.items()):
                    if not self.append(client, arn, events):
                        return
                while True:
                    arn = self.random.choice(self.arns)
                    first = len(self.events[arn]) + 1
                    count = self.random.randint(1, self.batch_max)
                    events = [self.make(i) for i in range(first, first + count)]
                    if not self.append(client, arn, events):
                        return
                    self.acknowledged += 1
                    on_progress()
        except BaseException as failure:  # pylint: disable=broad-except
            self.failure = failure
            on_progress()

    def check(self, client):
        """Compares with what is stored, and returns that; an append without an answer is there whole,
        or not."""
        histories = {}
        for arn in self.arns:
            acknowledged = self.events[arn]
            try:
                stored = client.history(arn, max_results=1000)
            except CallError as error:
                assert error.reason == "EXECUTION_DOES_NOT_EXIST", error
                stored = []
            whole = acknowledged + self.pending.get(arn, [])
            if stored not in (acknowledged, whole):
                raise AssertionError("%s: %d events acknowledged, %d with the last append, %s stored" % (
                    arn, len(acknowledged), len(whole), [e.id for e in stored]))
            if stored:
                histories[arn] = stored
        return histories


def standing(history):
    """What events make of their execution: its status and redrives, and when they came about."""
    turns = [(TYPES[e.type], e.timestamp) for e in history if e.type in TYPES]
    last, time = turns[-1]
    running = last in ("STARTED", "REDRIVEN")
    redrives = [t for turn, t in turns if turn == "REDRIVEN"]
    return ("EXECUTION_STATUS_" + ("RUNNING" if running else last), None if running else time,
            len(redrives), redrives[-1] if redrives else None)


def standing_of(execution):
    """The same of an execution that is listed or described."""
    return (ExecutionStatus.Name(execution.status),
            execution.stop_date if execution.HasField("stop_date") else None,
            execution.redrive_count,
            execution.redrive_date if execution.HasField("redrive_date") else None)


def check_listing(client, histories):
    """Compares listings and descriptions with the histories."""
    expected = {arn: standing(history) for arn, history in histories.items()}
    listed = client.list_all(state_machine_arn=MACHINE_ARN, max_results=1000)
    assert len(listed) == len(expected), (len(listed), len(expected))
    assert {e.execution_arn: standing_of(e) for e in listed} == expected
    for arn in expected:
        assert standing_of(client.describe(arn)) == expected[arn], arn
    for status in {s for s, *_ in expected.values()}:
        selected = client.list_all(state_machine_arn=MACHINE_ARN, status_filter=status)
        assert sorted(e.execution_arn for e in selected) == sorted(
            arn for arn, (s, *_) in expected.items() if s == status), status


class Progress:
    """Lets the killer wait for a number of acknowledged appends."""

    def __init__(self):
        self.count = 0
        self.changed = threading.Condition()

    def note(self):
        with self.changed:
            self.count += 1
            self.changed.notify_all()

    def wait(self, count):
        with self.changed:
            if not self.changed.wait_for(lambda: self.count >= count, annalsd.WAIT_S):
                raise AssertionError("no progress")


class CrashTest(unittest.TestCase):
    def test_kill_9(self):
        seed = int(os.environ.get("ANNALS_CRASH_SEED") or random.SystemRandom().getrandbits(32))
        print("ANNALS_CRASH_SEED=%d" % seed, file=sys.stderr, flush=True)
        choices = random.Random(seed)
        writers = [
            Writer("hot", choices.random(), 1, 1, 200),
            Writer("batches", choices.random(), 1, 100, 400),
            Writer("big", choices.random(), 3, 8, 100000),
        ] + [Writer("many-%d" % i, choices.random(), 40, 3, 2000) for i in range(WRITERS - 3)]
        server = annalsd.Annalsd()
        self.addCleanup(server.kill)
        unanswered = 0
        for _ in range(KILLS):
            progress = Progress()
            threads = [threading.Thread(target=w.run, args=(server.grpc, progress.note))
                       for w in writers]
            for thread in threads:
                thread.start()
            progress.wait(choices.randrange(50, 300))
            server.kill()
            for thread in threads:
                thread.join()
            for writer in writers:
                if writer.failure:
                    raise writer.failure
            unanswered += sum(len(w.pending) for w in writers)
            server.start()
            with annalsd.Client(server.grpc) as client:
                check_listing(client, {arn: history for writer in writers
                                       for arn, history in writer.check(client).items()})
        self.assertGreater(unanswered, KILLS)
        print("%d appends acknowledged, %d cut off" % (
            sum(w.acknowledged for w in writers), unanswered), file=sys.stderr)
        with annalsd.Client(server.grpc) as client:
            for writer in writers:
                for arn, events in list(writer.pending.items()):
                    self.assertTrue(writer.append(client, arn, events))
                writer.check(client)


if __name__ == "__main__":
    unittest_xml.main()
