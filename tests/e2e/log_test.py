#!/usr/bin/python3
"""The lines of the log, one for a call, and the ids by which clients and traces find them."""

import json
import re
import threading
import time
import unittest
import uuid

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import MARKER, Annalsd, error_details_pb2, started, status_pb2

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = "00-%s-%s-01" % (TRACE, PARENT)
PAGE = "/annals.v1.HistoryService/GetExecutionHistory"


class LogTest(unittest.TestCase):
    def serve(self, *args):
        self.server = Annalsd(*args)
        self.addCleanup(self.server.stop)
        self.client = annalsd.Client(self.server.grpc)
        self.addCleanup(self.client.close)
        self.gateway = annalsd.Gateway(self.server.gateway)
        self.addCleanup(self.gateway.close)
        self.arn = annalsd.arn("a")

    def lines(self, message, count):
        """The lines of that message, as soon as there are so many."""
        end = time.monotonic() + annalsd.WAIT_S
        while True:
            lines = [json.loads(line) for line in self.server.log().splitlines()]
            found = [line for line in lines if line["message"] == message]
            if len(found) >= count or time.monotonic() > end:
                self.assertEqual(len(found), count, lines)
                return found
            time.sleep(0.01)

    def page(self, *metadata):
        """Calls for a page; gives initial metadata, and the ids of the status."""
        request = annalsd.history_service_pb2.GetExecutionHistoryRequest(execution_arn=self.arn)
        stub = self.client.channel.unary_unary(PAGE)
        call = stub.future(request.SerializeToString(), timeout=annalsd.WAIT_S, metadata=metadata)
        call.exception()
        ids = []
        for key, value in call.trailing_metadata():
            if key == "grpc-status-details-bin":
                for detail in status_pb2.Status.FromString(value).details:
                    info = error_details_pb2.RequestInfo()
                    if detail.Unpack(info):
                        ids.append(info.request_id)
        return dict(call.initial_metadata()), ids

    def read(self, **headers):
        return self.gateway.post({"executionArn": self.arn}, **headers)

    def test_failures(self):
        self.serve()
        _, [made] = self.page()
        self.assertEqual(str(uuid.UUID(made)), made)
        _, [given] = self.page(("x-request-id", "the-client's.own"))
        self.assertEqual(given, "the-client's.own")
        _, [instead] = self.page(("x-request-id", "x" * 129))
        _, headers, _ = self.read()
        lines = self.lines("call failed", 4)
        common = {"level": "info", "arn": self.arn}
        for line, expected in zip(lines, (
                {"request_id": made, "transport": "grpc", "method": PAGE,
                 "reason": "EXECUTION_DOES_NOT_EXIST", "grpc_code": 5},
                {"request_id": given}, {"request_id": instead},
                {"request_id": headers["x-amzn-RequestId"], "transport": "aws_json",
                 "method": "GetExecutionHistory", "reason": "ExecutionDoesNotExist",
                 "http_status": 400})):
            expected = {**common, **expected}
            self.assertEqual({key: line.get(key) for key in expected}, expected)
            self.assertGreaterEqual(line["duration_us"], 0)
            self.assertNotIn("trace_id", line)

    def test_streams(self):
        self.serve()
        request = annalsd.history_service_pb2.AppendHistoryEventsStreamRequest(
            append=annalsd.history_service_pb2.AppendHistoryEventsRequest(
                execution_arn=self.arn, events=[started(input=MARKER), started(input=MARKER)]))
        stub = self.client.channel.stream_stream(
            "/annals.v1.HistoryService/AppendHistoryEventsStream")
        [answer] = stub(iter([request.SerializeToString()]), timeout=annalsd.WAIT_S)
        answer = annalsd.history_service_pb2.AppendHistoryEventsStreamResponse.FromString(answer)
        [line] = self.lines("call failed", 1)
        self.assertEqual((line["arn"], line["method"]),
                         (self.arn, "/annals.v1.HistoryService/AppendHistoryEventsStream"))
        ids = []
        for detail in answer.error.details:
            info = error_details_pb2.RequestInfo()
            if detail.Unpack(info):
                ids.append(info.request_id)
        self.assertEqual(ids, [line["request_id"]])
        self.assertNotIn(MARKER, self.server.log())

    def test_traces(self):
        self.serve()
        metadata, _ = self.page(("traceparent", TRACEPARENT))
        _, headers, _ = self.read(traceparent=TRACEPARENT)
        lines = self.lines("call failed", 2)
        for line, handed_back in zip(lines, (metadata["traceparent"], headers["traceparent"])):
            self.assertEqual(line["trace_id"], TRACE)
            self.assertNotEqual(line["span_id"], PARENT)
            self.assertEqual(handed_back, "00-%s-%s-01" % (TRACE, line["span_id"]))

    def test_what_is_no_trace(self):
        self.serve()
        metadata, _ = self.page(("traceparent", TRACEPARENT + "0"))
        _, headers, _ = self.read(traceparent="00-" + "0" * 32 + TRACEPARENT[35:])
        self.assertNotIn("traceparent", metadata)
        self.assertNotIn("traceparent", headers)
        for line in self.lines("call failed", 2):
            self.assertNotIn("trace_id", line)

    def test_traces_of_its_own(self):
        self.serve("--trace-sample", "2")
        self.client.append(self.arn, [started()])
        found = [self.page()[0].get("traceparent") for _ in range(4)]
        self.assertEqual([bool(f) for f in found], [False, True, False, True])
        for text in found[1::2]:
            self.assertRegex(text, r"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")
        self.assertEqual(len(set(found)), 3)

    def test_sampled_calls(self):
        self.serve("--log-sample", "3", "--slow-call", "0")
        self.client.append(self.arn, [started(input=MARKER)])
        for _ in range(3):
            self.client.page(self.arn)
        for _ in range(3):
            self.read()
        first, second, third = self.lines("call", 3)
        self.assertEqual((first["method"], first["reason"], first["grpc_code"], first["level"]),
                         ("/annals.v1.HistoryService/AppendHistoryEvents", "OK", 0, "info"))
        self.assertEqual((second["method"], second["arn"]), (PAGE, self.arn))
        self.assertEqual((third["method"], third["http_status"], third["arn"]),
                         ("GetExecutionHistory", 200, self.arn))
        for line in first, second, third:
            self.assertTrue(re.fullmatch(r"[0-9a-f-]{36}", line["request_id"]))
        self.assertNotIn(MARKER, self.server.log())

    def test_slow_calls(self):
        self.serve("--slow-call", "1")
        # An append waits for the disk; where that takes less than a millisecond, another will.
        events = iter(range(1, 10**9))
        while '"call slow"' not in self.server.log():
            self.client.append(self.arn, annalsd.simple_history(1, next(events), payload=MARKER))
        line = next(json.loads(l) for l in self.server.log().splitlines() if "call slow" in l)
        self.assertEqual((line["level"], line["reason"], line["arn"]), ("warning", "OK", self.arn))
        self.assertGreaterEqual(line["duration_us"], 1000)
        self.assertNotIn(MARKER, self.server.log())

    def test_streams_are_not_slow(self):
        """However long one is open; that it is told of at all shows that it has ended well."""
        self.serve("--slow-call", "1", "--log-sample", "1")
        ask = threading.Event()

        def requests():
            ask.wait(annalsd.WAIT_S)
            yield from ()

        answers = self.client.channel.stream_stream(
            "/annals.v1.HistoryService/AppendHistoryEventsStream")(
                requests(), timeout=annalsd.WAIT_S)
        answers.initial_metadata()  # it is open
        time.sleep(0.05)  # and stays so, at least
        ask.set()
        self.assertEqual(list(answers), [])
        [line] = self.lines("call", 1)
        self.assertGreaterEqual(line["duration_us"], 1000)
        self.assertNotIn("call slow", self.server.log())


if __name__ == "__main__":
    unittest_xml.main()
