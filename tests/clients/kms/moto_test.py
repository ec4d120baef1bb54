#!/usr/bin/env python3
"""Histories under a key of moto's KMS, read by the newest boto3, whose exceptions have types.

moto knows the states of keys, but wraps and unwraps with them in any: what stands before it then
says no as AWS does.
"""

import json
import os
import time
import unittest
import urllib.error
import urllib.request

import boto3
import botocore.config
from moto.server import ThreadedMotoServer

from annals.v1 import history_service_pb2
from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import WAIT_S, arn, passed, started
from tests.e2e.fake_kms import Failure, FakeKms, check_state

MARK = os.urandom(50).hex()
PAYLOAD = '"%s"' % MARK
REUSE_S = 60  # the least
KEY_ID_BYTES = 36  # that moto's wrapped data keys begin with
SIGNED = ("AWS4-HMAC-SHA256 Credential=any/20261123/us-east-1/kms/aws4_request, "
          "SignedHeaders=host, Signature=any")


class Front(FakeKms):
    """Stands before moto."""

    def __init__(self, url, client):
        super().__init__()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.moto_url, self.client = url, client

    def forward(self, operation, body):
        request = urllib.request.Request(self.moto_url, json.dumps(body).encode(), {
            "X-Amz-Target": "TrentService." + operation, "Authorization": SIGNED,
            "Content-Type": "application/x-amz-json-1.1"})
        try:
            return json.load(self.opener.open(request))
        except urllib.error.HTTPError as error:
            answer = json.load(error)
            raise Failure(answer["__type"], answer.get("message", ""), error.code) from None

    def do_GenerateDataKey(self, body):
        self.check(body["KeyId"])
        return self.forward("GenerateDataKey", body)

    def do_Decrypt(self, body):
        self.check(body["KeyId"])
        return self.forward("Decrypt", body)

    def check(self, key_id):
        key = self.client.describe_key(KeyId=key_id)["KeyMetadata"]
        check_state(key["Arn"], key["KeyState"])


class MotoTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        moto.start()
        self.addCleanup(moto.stop)
        self.url = "http://%s:%d/" % moto.get_host_and_port()
        self.kms = self.boto3("kms", self.url)
        self.key = self.kms.create_key()["KeyMetadata"]

    @staticmethod
    def boto3(service, url):
        return boto3.client(service, endpoint_url=url, region_name="us-east-1",
                            aws_access_key_id="any", aws_secret_access_key="any",
                            config=botocore.config.Config(retries={"max_attempts": 0}, proxies={}))

    def start(self, url):
        self.server = annalsd.Annalsd(
            "--kms-endpoint", url, "--kms-timeout", "60",
            env={"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIAKMS",
                 "AWS_SECRET_ACCESS_KEY": "secret/of+annals", "AWS_SESSION_TOKEN": "a/session+token=="})
        self.addCleanup(self.server.stop)
        with annalsd.Client(self.server.grpc) as client:
            client.append(
                arn("secret"), [started(input=PAYLOAD), passed(2, payload=PAYLOAD)],
                encryption_configuration=history_service_pb2.EncryptionConfiguration(
                    type="ENCRYPTION_TYPE_CUSTOMER_MANAGED_KMS_KEY", kms_key_id=self.key["Arn"],
                    kms_data_key_reuse_period_seconds=REUSE_S))
        self.states = self.boto3("stepfunctions", "http://" + self.server.gateway)

    def read(self):
        return self.states.get_execution_history(executionArn=arn("secret"))["events"]

    def expect_payloads(self):
        events = self.read()
        self.assertEqual(events[0]["executionStartedEventDetails"]["input"], PAYLOAD)
        self.assertEqual(events[1]["stateEnteredEventDetails"]["input"], PAYLOAD)

    def expect_no_payload_in_memory(self):
        """The data key's period is over; what was read again and again is gone with it."""
        self.states.close()
        for _ in range(WAIT_S * 10):
            where = self.server.memory_has(MARK.encode())
            if where is None:
                break
            time.sleep(0.1)
        self.assertIsNone(where)
        self.states = self.boto3("stepfunctions", "http://" + self.server.gateway)

    def until(self, outcome):
        """Reads until that is what comes of it: None, or the name of an exception."""
        for _ in range(WAIT_S * 5):
            try:
                self.read()
                failure = None
            except self.states.exceptions.ClientError as error:
                failure = error
            if type(failure).__name__ == (outcome or "NoneType"):
                return failure
            time.sleep(0.2)
        raise AssertionError("it does not come to %s, but to %r" % (outcome, failure))

    def test_directly(self):
        self.start(self.url)
        self.expect_payloads()
        self.server.restart()
        self.states = self.boto3("stepfunctions", "http://" + self.server.gateway)
        self.expect_payloads()

    def test_what_the_key_says(self):
        front = Front(self.url, self.kms)
        self.addCleanup(front.stop)
        began = time.monotonic()
        self.start(front.url)
        self.kms.disable_key(KeyId=self.key["KeyId"])
        self.expect_payloads()  # the data key is in memory
        error = self.until("KmsInvalidStateException")
        self.assertGreaterEqual(time.monotonic() - began, REUSE_S)
        self.assertEqual(error.response["kmsKeyState"], "DISABLED")
        self.expect_no_payload_in_memory()
        self.kms.schedule_key_deletion(KeyId=self.key["KeyId"], PendingWindowInDays=7)
        while self.until("KmsInvalidStateException").response["kmsKeyState"] != "PENDING_DELETION":
            time.sleep(0.2)
        self.kms.cancel_key_deletion(KeyId=self.key["KeyId"])
        front.says = Failure("AccessDeniedException", "User is not authorized")
        self.until("KmsAccessDeniedException")
        front.says = Failure("ThrottlingException", "Rate exceeded")
        self.until("KmsThrottlingException")
        front.says = "nothing"
        self.assertEqual(self.until("ClientError").response["Error"]["Code"], "ServiceUnavailable")
        front.says = None
        self.kms.enable_key(KeyId=self.key["KeyId"])
        self.until(None)
        self.expect_payloads()


if __name__ == "__main__":
    unittest_xml.main()
