#!/usr/bin/python3
"""Big histories read back whole, page by page, through both transports."""

import unittest

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import HistoryEvent, length_delimited

PAYLOAD_BYTES = 262144
BATCH_EVENTS = 1000
BATCH_BYTES = 4 << 20


def small(event_id):
    """Entered and left by turns, as a loop of Pass states."""
    event = HistoryEvent(id=event_id, previous_event_id=event_id - 1)
    event.timestamp.seconds = 1700000000 + event_id // 1000
    event.timestamp.nanos = event_id % 1000 * 1000000
    if event_id == 1:
        event.type = annalsd.history_event_pb2.HISTORY_EVENT_TYPE_EXECUTION_STARTED
        event.execution_started_event_details.input = "{}"
    elif event_id % 2 == 0:
        event.type = annalsd.history_event_pb2.HISTORY_EVENT_TYPE_PASS_STATE_ENTERED
        event.state_entered_event_details.name = "Loop"
        event.state_entered_event_details.input = str(event_id)
    else:
        event.type = annalsd.history_event_pb2.HISTORY_EVENT_TYPE_PASS_STATE_EXITED
        event.state_exited_event_details.name = "Loop"
        event.state_exited_event_details.output = str(event_id)
    return event


def large(event_id):
    """The longest output there may be, in characters that JSON does not escape, or does."""
    event = small(event_id)
    if event_id % 2 == 1 and event_id > 1:
        unit = '"\n' if event_id % 10 == 1 else "0123456789abcdef"
        text = unit * (PAYLOAD_BYTES // len(unit))
        event.state_exited_event_details.output = "%08d" % event_id + text[8:]
    elif event_id > 1:
        event.state_entered_event_details.input = ("%08d" % event_id) * (PAYLOAD_BYTES // 8)
    return event


def without_data(event):
    """What remains without execution data."""
    stripped = HistoryEvent()
    stripped.CopyFrom(event)
    for member, field in (("execution_started_event_details", "input"),
                          ("state_entered_event_details", "input"),
                          ("state_exited_event_details", "output")):
        if stripped.HasField(member):
            getattr(stripped, member).ClearField(field)
    return stripped


def to_json(event):
    """The same as AWS JSON, of what small() and large() make."""
    types = {11: "ExecutionStarted", 38: "PassStateEntered", 39: "PassStateExited"}
    member = event.WhichOneof("details")
    details = getattr(event, member)
    head, *tail = member.split("_")
    return {
        "timestamp": event.timestamp.seconds + event.timestamp.nanos // 10**6 / 1000,
        "type": types[event.type],
        "id": event.id,
        "previousEventId": event.previous_event_id,
        head + "".join(word.title() for word in tail): {f.name: v for f, v in details.ListFields()},
    }


class ScaleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd()
        cls.addClassCleanup(cls.server.stop)
        cls.client = annalsd.Client(cls.server.grpc)
        cls.addClassCleanup(cls.client.close)
        cls.gateway = annalsd.Gateway(cls.server.gateway)
        cls.addClassCleanup(cls.gateway.close)

    def append(self, arn, count, make):
        batch, size = [], 0
        for event_id in range(1, count + 1):
            event = make(event_id).SerializeToString()
            if len(batch) == BATCH_EVENTS or size + len(event) > BATCH_BYTES:
                self.client.append(arn, batch)
                batch, size = [], 0
            batch.append(event)
            size += len(event)
        self.assertEqual(self.client.append(arn, batch).last_event_id, count)

    def check_grpc(self, arn, ids, make, **more):
        """Compares bytes: canonical ones are those that Python makes of these events."""
        ids = iter(ids)
        token, pages = "", 0
        while True:
            request = annalsd.history_service_pb2.GetExecutionHistoryRequest(
                execution_arn=arn, max_results=1000, next_token=token)
            if more.get("include") is False:
                request.include_execution_data.SetInParent()
            request.reverse_order = more.get("reverse", False)
            answer = self.client.call("GetExecutionHistory", request.SerializeToString())
            page = annalsd.history_service_pb2.GetExecutionHistoryResponse.FromString(answer)
            annalsd.page_size(len(answer), len(page.events))
            expected = b"".join(length_delimited(1, make(next(ids)).SerializeToString())
                                for _ in page.events)
            if page.next_token:
                expected += length_delimited(2, page.next_token)
            self.assertTrue(answer == expected, "page %d" % pages)
            pages += 1
            token = page.next_token
            if not token:
                break
        self.assertIsNone(next(ids, None))
        return pages

    def check_http(self, arn, ids, make, **more):
        ids = iter(ids)
        pages = 0
        for page in self.gateway.pages(arn, maxResults=1000, **more):
            for event in page["events"]:
                self.assertTrue(event == to_json(make(next(ids))), event["id"])
            pages += 1
        self.assertIsNone(next(ids, None))
        return pages

    def check(self, arn, count, make, bare):
        """Returns the number of pages with execution data: over gRPC and over HTTP.

        bare: the number of pages without.
        """
        ids = range(1, count + 1)
        pages = (self.check_grpc(arn, ids, make), self.check_http(arn, ids, make))
        self.assertEqual(self.check_grpc(
            arn, ids, lambda i: without_data(make(i)), include=False), bare)
        self.assertEqual(self.check_http(
            arn, ids, lambda i: without_data(make(i)), includeExecutionData=False), bare)
        return pages

    def test_25000_small_events(self):
        arn = annalsd.arn("small")
        self.append(arn, 25000, small)
        self.assertEqual(self.check(arn, 25000, small, 25), (25, 25))
        self.check_grpc(arn, range(25000, 0, -1), small, reverse=True)
        self.check_http(arn, range(25000, 0, -1), small, reverseOrder=True)

    def test_500_events_of_256_kib(self):
        arn = annalsd.arn("large")
        self.append(arn, 500, large)
        # 13 of 256 KiB fit into 3.5 MiB; one in five is twice as long in JSON. Without data they
        # would all fit, but for the 64 MiB that are read for a page: 255 of them.
        grpc_pages, http_pages = self.check(arn, 500, large, 2)
        self.assertEqual(grpc_pages, -(-499 // 13))
        self.assertLess(http_pages, 50)
        self.server.restart()
        self.client.close()
        type(self).client = annalsd.Client(self.server.grpc)
        type(self).gateway = annalsd.Gateway(self.server.gateway)
        self.check_grpc(arn, range(500, 0, -1), large, reverse=True)

    @unittest.skipIf(annalsd.is_slow_build(), "too slow under a sanitizer")
    def test_200000_small_events(self):
        arn = annalsd.arn("long")
        self.append(arn, 200000, small)
        self.assertEqual(self.check(arn, 200000, small, 200), (200, 200))


if __name__ == "__main__":
    unittest_xml.main()
