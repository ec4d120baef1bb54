#!/usr/bin/python3
"""Clients that mean harm, over bare HTTP/2: the server bears them, and serves the others."""

import unittest

from tests import unittest_xml
from tests.e2e import annalsd, raw_http2

MIB = 1 << 20
BUDGET_MIB = 256
ENHANCE_YOUR_CALM = 11
LARGE = annalsd.simple_history(12, payload="x" * 250000)


class HostileTest(unittest.TestCase):
    def setUp(self):
        self.server = annalsd.Annalsd("--memory-budget", str(BUDGET_MIB))
        self.addCleanup(self.server.stop)

    def expect_service(self, events):
        """A client that means well is served."""
        with annalsd.Client(self.server.grpc) as client:
            name = annalsd.arn("e%d" % id(client))
            client.append(name, events)
            self.assertEqual(client.history(name), events)

    def send_huge(self, method, **where):
        """Sends a message of more bytes than the server may have, as far as it goes."""
        with raw_http2.Connection(self.server.grpc) as connection:
            connection.open(1, method, **where)
            connection.send_data(1, raw_http2.message(b"", size=2 * BUDGET_MIB * MIB))
            piece = bytes(MIB)
            sent = 0
            while sent < 2 * BUDGET_MIB * MIB and not connection.gone and not connection.ended:
                sent += connection.send_data(1, piece)
            self.assertEqual(connection.ended, {1: ENHANCE_YOUR_CALM})
            return sent

    # The core refuses what is over its limit when it has received all of it.
    def test_huge_messages(self):
        for method, service in (("GetExecutionHistory", "annals.v1.HistoryService"),
                                ("AppendHistoryEventsStream", "annals.v1.HistoryService"),
                                ("Check", "grpc.health.v1.Health")):
            with self.subTest(method):
                sent = self.send_huge(method, service=service)
                self.assertLess(sent, BUDGET_MIB * MIB)
        if not annalsd.is_slow_build():  # a sanitizer has memory of its own
            self.assertLess(self.server.rss_bytes("VmHWM"), BUDGET_MIB * MIB)
        self.expect_service(annalsd.simple_history(3))

    # Who has been answered is no burden to the others, taken or not.
    def test_answers_that_nobody_takes(self):
        append = annalsd.history_service_pb2.AppendHistoryEventsRequest(events=LARGE)
        with raw_http2.Connection(self.server.grpc, answer_window=0) as connection:
            for stream in range(1, 40, 2):
                append.execution_arn = annalsd.arn("e%d" % stream)
                connection.open(stream, "AppendHistoryEvents")
                connection.send_data(stream, raw_http2.message(append.SerializeToString()),
                                     last=True)
            self.expect_service(LARGE)
            self.assertEqual((connection.received, connection.gone), ({}, False))


if __name__ == "__main__":
    unittest_xml.main()
