#!/usr/bin/python3
"""Histories are followed as they grow: each event once and in order, whatever happens meanwhile.

ANNALS_WATCH_MANY="10000 1000 60 1000" makes many of the watchers.
"""

import json
import os
import pty
import select
import subprocess
import sys
import threading
import unittest

import grpc

from annals.v1 import history_service_pb2
from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import WAIT_S, passed, started

WATCH = "/annals.v1.HistoryService/WatchExecutionHistory"
STREAM = "/annals.v1.HistoryService/AppendHistoryEventsStream"
EVENTS = 300
LOAD = os.environ.get("ANNALS_WATCH_LOAD", "")
# Watchers, executions, events to each, and events a second (0: as fast as it goes).
MANY = os.environ.get("ANNALS_WATCH_MANY", "200 20 20 0").split()


def succeeded(event_id):
    event = annalsd.HistoryEvent(id=event_id, type="HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED",
                                 previous_event_id=event_id - 1)
    event.timestamp.seconds = 1700000000
    return event


def history(count):
    return [started()] + [passed(i) for i in range(2, count)] + [succeeded(count)]


def request(arn, from_event_id=1):
    return history_service_pb2.WatchExecutionHistoryRequest(
        execution_arn=arn, from_event_id=from_event_id).SerializeToString()


def ids(message):
    response = history_service_pb2.WatchExecutionHistoryResponse.FromString(message)
    return [event.id for event in response.events]


class Follower(threading.Thread):
    """Follows a history as the contract has it: on from the last id when the stream breaks."""

    def __init__(self, server, arn):
        super().__init__()
        self.server, self.arn, self.ids, self.streams = server, arn, [], 0
        self.start()

    def run(self):
        while not self.follow():
            pass

    def follow(self):
        """Returns whether the history has ended."""
        self.streams += 1
        with annalsd.Client(self.server.grpc) as client:
            stub = client.channel.unary_stream(WATCH)
            try:
                for message in stub(request(self.arn, len(self.ids) + 1), timeout=WAIT_S,
                                    wait_for_ready=True):
                    self.ids += ids(message)
                return True
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    raise
                return False


class WatchTest(unittest.TestCase):
    def setUp(self):
        first = annalsd.Annalsd()
        first.stop()
        # The same port for all that follow.
        self.server = annalsd.Annalsd("--grpc-listen=" + first.grpc, data_dir=first.data_dir)
        self.addCleanup(self.server.stop)
        self.arn = annalsd.arn(self.id().rpartition(".")[2])

    def append_all(self, events, disturb=lambda event: None):
        """Appends one by one, each until it is acknowledged."""
        for event in events:
            disturb(event)
            while True:
                try:
                    with annalsd.Client(self.server.grpc) as client:
                        client.append(self.arn, [event])
                    break
                except annalsd.CallError as error:
                    self.assertIn(error.code, (grpc.StatusCode.UNAVAILABLE,
                                               grpc.StatusCode.CANCELLED), error)

    def restart(self, event):
        if event.id == 100:
            self.server.stop()
            self.server.start()
        elif event.id == 200:
            self.server.kill()
            self.server.start()

    def test_through_restarts_and_kills(self):
        events = history(EVENTS)
        self.append_all(events[:1])
        followers = [Follower(self.server, self.arn) for _ in range(5)]
        self.append_all(events[1:], self.restart)
        for follower in followers:
            follower.join(WAIT_S)
            self.assertEqual(follower.ids, list(range(1, EVENTS + 1)))
            self.assertGreater(follower.streams, 2)

    def test_command_line(self):
        events = history(EVENTS)
        self.append_all(events[:1])
        command = [annalsd.CLI, "history", self.arn, "--follow", "--endpoint", self.server.grpc]
        with subprocess.Popen(command, env=annalsd.environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True) as process:
            # Printed at once, not when a buffer is full.
            self.assertEqual(json.loads(process.stdout.readline())["id"], 1)
            self.append_all(events[1:], self.restart)
            lines = [json.loads(line)["id"] for line in process.stdout]
            self.assertEqual(process.wait(WAIT_S), 0)
        self.assertEqual(lines, list(range(2, EVENTS + 1)))

    @unittest.skipUnless(os.path.exists("/dev/ptmx") and os.path.ismount("/dev/pts"),
                         "no terminals are to be had here")
    def test_delete_asks_on_a_terminal(self):
        self.append_all([started()])
        for answer, status in (b"n\n", 1), (b"y\n", 0):
            parent, child = pty.openpty()
            command = [annalsd.CLI, "delete", self.arn, "--endpoint", self.server.grpc]
            with subprocess.Popen(command, env=annalsd.environment(), stdin=child,
                                  stdout=subprocess.DEVNULL, stderr=child) as process:
                os.close(child)
                select.select([parent], [], [], WAIT_S)
                os.write(parent, answer)
                self.assertEqual(process.wait(WAIT_S), status)
            os.close(parent)
        done = annalsd.run_cli("history", self.arn, "--endpoint", self.server.grpc, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("EXECUTION_DOES_NOT_EXIST", done.stderr)

    def test_appends_on_a_stream(self):
        requests = [history_service_pb2.AppendHistoryEventsStreamRequest(append={
            "execution_arn": self.arn, "events": [event]}) for event in history(100)]
        with annalsd.Client(self.server.grpc) as client:
            stub = client.channel.stream_stream(STREAM)
            answers = stub(iter(r.SerializeToString() for r in requests), timeout=WAIT_S)
            last = [history_service_pb2.AppendHistoryEventsStreamResponse.FromString(a)
                    .appended.last_event_id for a in answers]
            self.assertEqual(last, list(range(1, 101)))
            self.assertEqual(client.history(self.arn), history(100))

    def test_many_watchers(self):
        """The program looks at each event of each watcher."""
        watchers, executions, rounds, rate = MANY
        done = subprocess.run(
            [LOAD, self.server.grpc, annalsd.arn("many-"), executions, watchers, rounds, rate,
             str(self.server.process.pid)], env=annalsd.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True, check=True)
        print(done.stdout, file=sys.stderr)
        figures = dict(word.split("=") for word in done.stdout.split())
        self.assertEqual(int(figures["delivered"]), int(watchers) * (int(rounds) - 1))
        if not annalsd.is_slow_build():
            self.assertLess(int(figures["bytes_per_watcher"]), 40000)


if __name__ == "__main__":
    unittest_xml.main()
