#!/usr/bin/python3
"""The server's memory under load, and under messages made to be expensive."""

import sys
import threading
import time
import unittest

import grpc

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import CallError, length_delimited, passed, started, varint_field

MIB = 1 << 20
BUDGET_MIB = 512  # the default of --memory-budget
READERS = 64
WRITERS = 64
READS = 6
APPENDS = 4
PAYLOAD = "x" * 262144
APPEND_EVENTS = 15  # just under 4 MiB


class Throttled(Exception):
    pass


def until_there_is_room(call):
    """What clients do that are told to come again."""
    while True:
        try:
            return call()
        except CallError as error:
            if error.reason != "OVERLOADED":
                raise
        except Throttled:
            pass
        time.sleep(0.05)


def read_json(gateway, arn):
    status, _, body = gateway.post({"executionArn": arn, "maxResults": 1000})
    if b"ThrottlingException" in body[:1000]:
        raise Throttled
    assert status == 200, body
    return body


class Load:
    """Readers and writers that run at once."""

    def __init__(self, server):
        self.server = server
        self.failures = []
        self.sizes = []

    def read(self, arn, transport):
        if transport == "grpc":
            with annalsd.Client(self.server.grpc) as client:
                request = annalsd.history_service_pb2.GetExecutionHistoryRequest(
                    execution_arn=arn, max_results=1000)
                for _ in range(READS):
                    self.sizes.append(len(until_there_is_room(
                        lambda: client.call("GetExecutionHistory", request.SerializeToString()))))
        else:
            with annalsd.Gateway(self.server.gateway) as gateway:
                for _ in range(READS):
                    self.sizes.append(len(until_there_is_room(lambda: read_json(gateway, arn))))

    def write(self, arn):
        with annalsd.Client(self.server.grpc) as client:
            for i in range(APPENDS):
                first = i * APPEND_EVENTS + 1
                events = annalsd.simple_history(APPEND_EVENTS, first, payload=PAYLOAD)
                until_there_is_room(lambda: client.append(arn, events))

    def run(self, calls):
        def guard(call):
            try:
                call()
            except BaseException as failure:  # pylint: disable=broad-except
                self.failures.append(failure)

        threads = [threading.Thread(target=guard, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class MemoryTest(unittest.TestCase):
    def setUp(self):
        self.server = annalsd.Annalsd()
        self.addCleanup(self.server.stop)
        self.arn = annalsd.arn("a")

    @unittest.skipIf(annalsd.is_slow_build(), "a sanitizer has memory of its own")
    def test_64_readers_and_64_writers(self):
        with annalsd.Client(self.server.grpc) as client:
            for first in range(1, 40, 13):
                client.append(self.arn, annalsd.simple_history(13, first, payload=PAYLOAD))
        idle = self.server.rss_bytes()
        load = Load(self.server)
        calls = [lambda t=t: load.read(self.arn, t) for t in ("grpc", "http") * (READERS // 2)]
        calls += [lambda i=i: load.write(annalsd.arn("w%d" % i)) for i in range(WRITERS)]
        load.run(calls)
        self.assertEqual(load.failures, [])
        peak = self.server.rss_bytes("VmHWM")
        print("resident: %d MiB idle, %d MiB at most, %d MiB afterwards; %d MiB read" % (
            idle // MIB, peak // MIB, self.server.rss_bytes() // MIB, sum(load.sizes) // MIB),
            file=sys.stderr)
        self.assertEqual(len(load.sizes), READERS * READS)
        self.assertGreater(min(load.sizes), 3 * MIB)
        self.assertLess(peak, BUDGET_MIB * MIB)

    def refused(self, client, *events):
        with self.assertRaises(CallError) as caught:
            client.append(self.arn, events)
        self.assertEqual(caught.exception.code, grpc.StatusCode.INVALID_ARGUMENT)
        return caught.exception.reason, caught.exception.metadata

    def test_34_kb_of_nested_messages(self):
        nested = b""
        while len(nested) < 34000:
            nested = length_delimited(5, nested)
        head = varint_field(2, 38) + varint_field(3, 2)
        with annalsd.Client(self.server.grpc) as client:
            self.assertEqual(self.refused(client, started(), head + nested), (
                "INVALID_EVENT", {"event_index": "1", "field": "state_entered_event_details"}))
            # Sub-messages within a field that is a message twice over.
            groups = b"\x2b" * 17000 + b"\x2c" * 17000
            self.assertEqual(self.refused(client, started(), head + groups)[0], "INVALID_EVENT")
            client.append(self.arn, [started()])

    def test_34_kb_of_empty_messages(self):
        with annalsd.Client(self.server.grpc) as client:
            before = self.server.rss_bytes()
            with self.assertRaises(CallError) as caught:
                client.call("AppendHistoryEvents", length_delimited(1, self.arn) + b"\x12\0" * 17000)
            self.assertEqual((caught.exception.reason, caught.exception.metadata),
                             ("LIMIT_EXCEEDED", {"field": "events", "limit": "1000"}))
            # As parts of one event they are one, and say nothing.
            event = passed(2).SerializeToString() + b"\x2a\0" * 17000
            self.assertEqual(client.append(self.arn, [started(), event]).appended_count, 2)
            self.assertEqual(client.history(self.arn)[1], passed(2))
            self.assertEqual(client.append(self.arn, [passed(2)]).already_stored_count, 1)
            if not annalsd.is_slow_build():
                self.assertLess(self.server.rss_bytes() - before, 32 * MIB)

    def test_many_map_entries(self):
        entry = length_delimited(4, b"")
        event = varint_field(2, 39) + varint_field(3, 2) + length_delimited(6, entry * 300000)
        with annalsd.Client(self.server.grpc) as client:
            # All are one entry: the empty key.
            self.assertEqual(client.append(self.arn, [started(), event]).appended_count, 2)
            back = client.history(self.arn)[1].state_exited_event_details
            self.assertEqual(dict(back.assigned_variables), {"": ""})
            if not annalsd.is_slow_build():
                self.assertLess(self.server.rss_bytes("VmHWM"), 200 * MIB)


if __name__ == "__main__":
    unittest_xml.main()
