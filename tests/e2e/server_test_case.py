"""What tests of single calls share: a server for each class, an execution for each test."""

import unittest

import grpc

from tests.e2e import annalsd
from tests.e2e.annalsd import CallError, started


class ServerTest(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd(*cls.options)
        cls.addClassCleanup(cls.server.stop)
        cls.client = annalsd.Client(cls.server.grpc)
        cls.addClassCleanup(cls.client.close)

    def setUp(self):
        self.arn = annalsd.arn(self.id().rpartition(".")[2])

    def append(self, *events, **more):
        return self.client.append(self.arn, events, **more)

    def counts(self, answer):
        return (answer.last_event_id, answer.appended_count, answer.already_stored_count,
                answer.adjusted_timestamp_count)

    def refused(self, call, code, reason, metadata, violations=None, retry=None):
        """Checks all that the status of a failed call says, but for the text."""
        with self.assertRaises(CallError) as caught:
            call()
        error = caught.exception
        self.assertEqual((error.code, error.reason, error.metadata), (code, reason, metadata),
                         error.message)
        self.assertEqual(error.domain, "annals.v1")
        self.assertEqual(error.status.code, error.code.value[0])
        self.assertEqual(error.status.message, error.message)
        self.assertNotEqual(error.message, "")
        self.assertLess(len(error.status_bytes), 4096)
        self.assertEqual([f for f, _ in error.violations], violations or [])
        self.assertEqual(error.retry, retry)
        return error

    def refused_event(self, event, field, index=1, reason="INVALID_EVENT", **more):
        """Checks that an event is refused, and that nothing of its batch is stored."""
        path = "events[%d]" % index + ("." + field if field else "")
        error = self.refused(lambda: self.append(started(), event),
                             grpc.StatusCode.INVALID_ARGUMENT, reason,
                             {"event_index": str(index), "field": field, **more}, [path])
        self.refused(lambda: self.client.page(self.arn), grpc.StatusCode.NOT_FOUND,
                     "EXECUTION_DOES_NOT_EXIST", {"execution_arn": self.arn})
        return error
