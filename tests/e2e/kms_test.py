#!/usr/bin/python3
"""Histories under a key of KMS: what it says reaches callers as AWS says it, and nothing is read
or stored that the key is not good for."""

import json
import os
import time
import unittest

import grpc

from annals.v1 import history_service_pb2
from tests import unittest_xml
from tests.e2e import annalsd, aws, raw_http
from tests.e2e.annalsd import WAIT_S, CallError, arn, passed, started
from tests.e2e.fake_kms import Failure, FakeKms

PAYLOAD = '"payload"'
OUT_OF_REACH = "the key service is out of reach"
IN_REACH = "the key service is in reach again"
DENIED = Failure("AccessDeniedException", "User: annals is not authorized to perform: kms:Decrypt")
THROTTLED = Failure("ThrottlingException", "Rate exceeded")


class KmsTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.kms = FakeKms()
        self.addCleanup(self.kms.stop)
        self.key = self.kms.new_key()
        self.server = annalsd.Annalsd(*self.kms.options(), "--kms-timeout", "60",
                                      env=self.kms.environment())
        self.addCleanup(self.server.stop)
        self.client = annalsd.Client(self.server.grpc)
        self.addCleanup(lambda: self.client.close())
        self.append("secret", [started(input=PAYLOAD), passed(2, payload=PAYLOAD)])

    def append(self, name, events, reuse_s=60):
        return self.client.append(
            arn(name), events, encryption_configuration=history_service_pb2.EncryptionConfiguration(
                type="ENCRYPTION_TYPE_CUSTOMER_MANAGED_KMS_KEY", kms_key_id=self.key.arn,
                kms_data_key_reuse_period_seconds=reuse_s))

    def forget(self):
        """Has no data key left in memory."""
        self.client.close()
        self.server.restart()
        self.client = annalsd.Client(self.server.grpc)

    def payloads(self):
        events = self.client.history(arn("secret"))
        return events[0].execution_started_event_details.input, \
            events[1].state_entered_event_details.input

    def read_again(self):
        """Reads as soon as it can be: failures are remembered for a second."""
        for _ in range(WAIT_S * 10):
            try:
                return self.payloads()
            except CallError:
                time.sleep(0.1)
        raise AssertionError("it is not readable again")

    def reason(self, call):
        with self.assertRaises(CallError) as caught:
            call()
        return caught.exception

    def aws_error(self):
        boto3 = aws.boto3_client(self.server.gateway)
        with self.assertRaises(boto3.exceptions.ClientError) as caught:
            boto3.get_execution_history(executionArn=arn("secret"))
        response = caught.exception.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response

    def test_reads_after_a_restart(self):
        self.assertEqual(self.payloads(), (PAYLOAD, PAYLOAD))
        self.assertEqual(self.kms.calls, ["GenerateDataKey"])
        self.forget()
        self.assertEqual(self.payloads(), (PAYLOAD, PAYLOAD))
        self.assertEqual(self.payloads(), (PAYLOAD, PAYLOAD))
        self.assertEqual(self.kms.calls, ["GenerateDataKey", "Decrypt"])

    def state(self, call):
        error = self.reason(call)
        self.assertEqual((error.code, error.reason),
                         (grpc.StatusCode.FAILED_PRECONDITION, "KMS_INVALID_STATE"))
        return error.metadata["kms_key_state"]

    def test_states_of_the_key(self):
        self.forget()
        self.key.state = "Disabled"
        for call in (lambda: self.client.page(arn("secret")),
                     lambda: self.append("secret", [passed(3)]),
                     lambda: self.append("another", [started()])):
            self.assertEqual(self.state(call), "DISABLED")
        self.assertEqual(self.aws_error()[:2], ("KmsInvalidStateException", 400))
        self.assertEqual(len(self.client.page(arn("secret"), include=False).events), 2)
        for state, name in ("PendingDeletion", "PENDING_DELETION"), ("PendingImport", "PENDING_IMPORT"):
            self.key.state = state
            while self.state(lambda: self.client.page(arn("secret"))) != name:
                time.sleep(0.05)  # what KMS said before is remembered for a second
        self.key.state = "Enabled"
        self.assertEqual(self.read_again(), (PAYLOAD, PAYLOAD))
        self.append("another", [started()])

    def test_a_key_that_is_gone(self):
        self.forget()
        del self.kms.keys[self.key.id]
        error = self.reason(lambda: self.client.page(arn("secret")))
        self.assertEqual((error.reason, error.metadata["kms_key_state"]),
                         ("KMS_INVALID_STATE", "UNAVAILABLE"))

    def test_denied_and_throttled(self):
        for says, code, reason, name in (
                (DENIED, grpc.StatusCode.PERMISSION_DENIED, "KMS_ACCESS_DENIED",
                 "KmsAccessDeniedException"),
                (THROTTLED, grpc.StatusCode.RESOURCE_EXHAUSTED, "KMS_THROTTLED",
                 "KmsThrottlingException")):
            with self.subTest(name):
                self.forget()
                self.kms.says = says
                error = self.reason(lambda: self.client.page(arn("secret")))
                self.assertEqual((error.code, error.reason), (code, reason))
                self.assertEqual(self.aws_error()[:2], (name, 400))
                self.assertEqual(self.server.log().count('"detail":"KMS: %s: %s"' % (says.name, says)), 2,
                                 self.server.log())
                self.kms.says = None
                self.assertEqual(self.read_again(), (PAYLOAD, PAYLOAD))

    @unittest.skipIf(annalsd.is_slow_build(), "sanitizers have allocators of their own")
    def test_no_payload_stays_in_memory(self):
        mark = os.urandom(100).hex()
        payload = '"%s"' % mark
        self.append("marked", [started(input=payload)] +
                    [passed(i, payload=payload) for i in range(2, 300)], reuse_s=900)
        self.read_marked(1)
        self.await_no(mark)
        # What is read again is kept, until the key is gone.
        self.read_marked(2)
        self.assertIsNotNone(self.server.memory_has(mark.encode()))
        annalsd.run_cli("shred", "--endpoint", self.server.grpc, "--yes", arn("marked"))
        self.await_no(mark)

    def read_marked(self, times):
        """Over both transports, without a connection left behind."""
        boto3 = aws.boto3_client(self.server.gateway)
        with annalsd.Client(self.server.grpc) as client:
            for _ in range(times):
                page = client.page(arn("marked"), max_results=1000)
                self.assertEqual(len(page.events), 299)
                page = boto3.get_execution_history(executionArn=arn("marked"), maxResults=1000)
                self.assertEqual(len(page["events"]), 299)
        boto3.close()

    def await_no(self, mark):
        """Waits until what belongs to connections is freed."""
        self.client.close()
        for _ in range(WAIT_S * 10):
            where = self.server.memory_has(mark.encode())
            if where is None:
                return
            time.sleep(0.1)
        self.fail("there is a payload in " + where)

    def test_out_of_reach(self):
        self.forget()
        self.kms.says = "nothing"
        error = self.reason(lambda: self.client.page(arn("secret")))
        self.assertEqual((error.code, error.reason),
                         (grpc.StatusCode.UNAVAILABLE, "KMS_UNAVAILABLE"))
        self.assertEqual(self.aws_error()[:2], ("ServiceUnavailable", 503))
        self.assertIn(OUT_OF_REACH, self.server.log())
        self.kms.says = None
        self.assertEqual(self.read_again(), (PAYLOAD, PAYLOAD))
        self.assertIn(IN_REACH, self.server.log())

    def await_decrypt(self, count):
        deadline = time.monotonic() + WAIT_S
        while self.kms.calls.count("Decrypt") < count:
            assert time.monotonic() < deadline, self.kms.calls
            time.sleep(0.01)

    def test_stops_while_kms_does_not_answer(self):
        self.append("another", [started()])
        self.server.args += "--drain-timeout", "1"
        self.forget()
        self.kms.hanging.clear()
        answer = self.client.channel.unary_unary(
            "/annals.v1.HistoryService/GetExecutionHistory").future(
                history_service_pb2.GetExecutionHistoryRequest(
                    execution_arn=arn("secret")).SerializeToString(), timeout=WAIT_S)
        self.await_decrypt(1)
        with raw_http.Connection(self.server.gateway) as connection:
            connection.send(raw_http.request(json.dumps({"executionArn": arn("another")}).encode()))
            self.await_decrypt(self.kms.calls.count("Decrypt") + 1)
            self.assertEqual(self.server.stop(), 0)
            http = connection.answer()
        # Nobody has waited for what KMS is given: five seconds an attempt, a minute in all.
        self.assertRegex(answer.exception().details(),
                         "^the key service of the history's key is not reached: "
                         "KMS was not reached: Operation was aborted")
        self.assertEqual((http.status, http.error[0]),
                         (503, "com.amazon.coral.service#ServiceUnavailable"))
        self.assertEqual(answer.exception().code(), grpc.StatusCode.UNAVAILABLE)


if __name__ == "__main__":
    unittest_xml.main()
