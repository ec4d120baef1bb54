#!/usr/bin/python3
"""No payload gets into a log, a metric or a span, whatever is done with it and however it fails.

Payloads carry a marker, and all that the server and its commands tell at their most talkative is
searched for it.
"""

import os
import unittest

import grpc

from tests import unittest_xml
from tests.data import history_file
from tests.e2e import annalsd
from tests.e2e.annalsd import (MARKER, CallError, history_service_pb2, length_delimited, passed,
                               started)
from tests.monitoring import scrape
from tests.otlp.receiver import Receiver

ALL_TYPES = os.path.join(os.environ.get("ANNALS_HISTORIES", ""), "all_types.json")
SERVICE = "/annals.v1.HistoryService/"
TALKATIVE = ("--log-level", "debug", "--log-sample", "1", "--slow-call", "1", "--trace-sample", "1")
# What holds ARNs and the like, which a history is refused without.
NOT_MARKED = {"resourceType", "region", "taskType"}


def mark(message):
    """Puts the marker into every text and every map of texts of a message, and gives how many."""
    count = 0
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value[MARKER] = '"%s"' % MARKER
            count += 1
        elif field.type == field.TYPE_MESSAGE:
            for one in value if field.label == field.LABEL_REPEATED else [value]:
                count += mark(one)
        elif field.type == field.TYPE_STRING and field.json_name not in NOT_MARKED:
            if not value.startswith("arn:"):
                setattr(message, field.name, MARKER)
                count += 1
    return count


class PayloadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.receiver = Receiver()
        cls.addClassCleanup(cls.receiver.close)
        cls.server = annalsd.Annalsd("--otlp-endpoint", cls.receiver.endpoint, "--backup-dir",
                                     annalsd.new_dir(), *TALKATIVE)
        cls.addClassCleanup(cls.server.stop)
        cls.told = []  # what others than the server have told

    def setUp(self):
        self.client = annalsd.Client(self.server.grpc)
        self.addCleanup(self.client.close)
        self.gateway = annalsd.Gateway(self.server.gateway)
        self.addCleanup(self.gateway.close)
        self.arn = annalsd.arn(self.id().rpartition(".")[2])

    def tearDown(self):
        """After each test, so that it is the one that fails."""
        told = [self.server.log(), scrape.text(self.server), *self.told]
        for text in told:
            at = text.find(MARKER)
            self.assertEqual(at, -1, text[max(0, at - 1000):at + 100])

    def run_cli(self, *args, **more):
        """What goes to standard error, for whoever keeps logs of jobs. The output is asked for."""
        done = annalsd.run_cli(*args, "--endpoint", self.server.grpc, **more)
        self.told.append(done.stderr)
        return done

    def fails(self, call, *args, **more):
        with self.assertRaises((CallError, grpc.RpcError)):
            call(*args, **more)

    def append(self):
        events = [annalsd.to_message(e) for e in history_file.load(ALL_TYPES)]
        self.assertGreater(sum(map(mark, events)), 80)
        self.client.append(self.arn, events)
        return events

    def test_reading(self):
        events = self.append()
        self.assertEqual(len(self.client.history(self.arn)), len(events))
        self.assertEqual(len(self.gateway.history(self.arn)), len(events))
        self.client.describe(self.arn)
        self.gateway.call("DescribeExecution", executionArn=self.arn)
        self.client.list_all(state_machine_arn=annalsd.MACHINE_ARN)
        self.fails(self.client.page, self.arn, next_token=MARKER)
        self.fails(self.client.page, MARKER)
        watch = self.client.channel.unary_stream(SERVICE + "WatchExecutionHistory")
        stream = watch(history_service_pb2.WatchExecutionHistoryRequest(
            execution_arn=self.arn).SerializeToString(), timeout=annalsd.WAIT_S)
        self.assertIn(MARKER.encode(), next(stream))
        stream.cancel()

    def test_appending(self):
        events = self.append()
        other = passed(2, name=MARKER, payload=MARKER * 2)
        self.client.append(self.arn, events)  # again
        self.fails(self.client.append, self.arn, [other])
        self.fails(self.client.append, self.arn, [passed(9000, payload=MARKER)])
        requests = [history_service_pb2.AppendHistoryEventsStreamRequest(
            append={"execution_arn": self.arn + "s", "events": [event]}).SerializeToString()
            for event in (started(input=MARKER), other, passed(9, payload=MARKER))]
        stub = self.client.channel.stream_stream(SERVICE + "AppendHistoryEventsStream")
        self.assertEqual(len(list(stub(iter(requests), timeout=annalsd.WAIT_S))), 3)

    def test_events_that_are_refused(self):
        for event in (passed(1, payload=MARKER), passed(0, payload=MARKER),
                      started(input=MARKER + "\0"), started(input=MARKER * 300000),
                      started(input=MARKER).SerializeToString() + length_delimited(99, MARKER),
                      length_delimited(4, length_delimited(1, MARKER.encode() + b"\xff")),
                      MARKER.encode()):
            self.fails(self.client.append, self.arn, [event])
        self.fails(self.client.append, MARKER, [started(input=MARKER)])
        self.fails(self.client.append, "arn:" + annalsd.arn(""), [started(input=MARKER)])
        self.fails(self.client.call, "AppendHistoryEvents", MARKER.encode())
        self.fails(self.client.call, MARKER, MARKER.encode())

    def test_requests_that_are_refused(self):
        for body in (MARKER.encode(), b'{"executionArn":"%s"}' % MARKER.encode(),
                     b'{"%s":1}' % MARKER.encode(), b'{"executionArn":{"%s":[]}}' % MARKER.encode(),
                     MARKER.encode() * 200000):
            status, _, _ = self.gateway.post(body)
            self.assertGreaterEqual(status, 400)
            self.gateway.close()
        self.gateway.post({}, target=MARKER)
        self.gateway.post({"executionArn": self.arn, "nextToken": MARKER})
        self.gateway.post({"executionArn": self.arn, "nextToken": "x"}, **{
            "User-Agent": MARKER, "traceparent": MARKER, "Authorization": MARKER})
        for method, path in ("POST", "/" + MARKER), ("GET", "/?" + MARKER), (MARKER, "/"):
            self.gateway.close()
            self.gateway.connection.request(method, path)
            self.assertGreaterEqual(self.gateway.connection.getresponse().status, 400)

    def test_moving(self):
        events = self.append()
        path = os.path.join(annalsd.new_dir(), "histories.jsonl.gz")
        self.run_cli("export", self.arn, "--output", path)
        self.run_cli("delete", self.arn, "--yes")
        self.run_cli("import", path)
        self.assertEqual(self.client.history(self.arn), events)
        wrong = os.path.join(annalsd.new_dir(), "wrong.json")
        with open(wrong, "w", encoding="utf-8") as f:
            f.write('{"events":[{"id":1,"%s":"%s"}]}' % (MARKER, MARKER))
        self.assertNotEqual(annalsd.run_cli("import", wrong, "--endpoint", self.server.grpc,
                                            check=False).returncode, 0)
        self.run_cli("backup", "daily")
        self.run_cli("verify")

    def test_spans(self):
        """After all others are done, what was exported of them."""
        self.append()
        self.client.history(self.arn)
        self.gateway.history(self.arn)
        self.gateway.post(MARKER.encode())
        self.receiver.spans(4)
        self.assertIn('"message":"call', self.server.log())
        self.server.restart()  # sends the rest, and has recovery tell what it may
        for request in self.receiver.requests:
            self.assertNotIn(MARKER.encode(), request.body)


if __name__ == "__main__":
    unittest_xml.main()
