#!/usr/bin/python3
"""Quotas, as clients meet them that know how to wait."""

import time
import unittest

import grpc

from tests import unittest_xml
from tests.e2e import annalsd, aws
from tests.e2e.annalsd import CallError

aws.boto3_client("127.0.0.1:1")  # sets the environment before botocore looks at it
import boto3
import botocore.exceptions
from botocore.config import Config


class QuotaTest(unittest.TestCase):
    def setUp(self):
        self.server = annalsd.Annalsd("--quota", "GetExecutionHistory=3:2")
        self.addCleanup(self.server.stop)
        self.arn = annalsd.arn("quota")
        self.client = annalsd.Client(self.server.grpc)
        self.addCleanup(self.client.close)
        for event in annalsd.simple_history(5):  # appends have no quota
            self.client.append(self.arn, [event])

    def use_up(self):
        for _ in range(3):
            self.client.page(self.arn)

    def test_boto3_backs_off_and_succeeds(self):
        for mode in "legacy", "standard", "adaptive":
            reader = boto3.client(
                "stepfunctions", endpoint_url="http://" + self.server.gateway,
                config=Config(retries={"max_attempts": 10, "mode": mode}, proxies={}))
            retries = 0
            while retries == 0:
                answer = reader.get_execution_history(executionArn=self.arn)
                self.assertEqual(len(answer["events"]), 5)
                retries = answer["ResponseMetadata"]["RetryAttempts"]

    def test_boto3_without_retries(self):
        self.use_up()
        reader = boto3.client("stepfunctions", endpoint_url="http://" + self.server.gateway,
                              config=Config(retries={"max_attempts": 0}, proxies={}))
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            while True:
                reader.get_execution_history(executionArn=self.arn)
        answer = caught.exception.response
        self.assertEqual(answer["Error"], {"Code": "ThrottlingException", "Message": "Rate exceeded"})
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 400)

    def test_grpc_tells_how_long_to_wait(self):
        with self.assertRaises(CallError) as caught:
            while True:
                self.client.page(self.arn)
        error = caught.exception
        self.assertEqual((error.code, error.reason, error.metadata),
                         (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_EXCEEDED",
                          {"operation": "GetExecutionHistory"}))
        self.assertGreater(error.retry, 0)
        self.assertLessEqual(error.retry, 0.5)
        time.sleep(error.retry)  # the advice, which must be good
        self.assertEqual(len(self.client.page(self.arn).events), 5)

    def test_what_does_not_start(self):
        done = annalsd.run_server("--quota", "Nothing=1:1", "--data-dir", annalsd.new_dir())
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("--quota: 'Nothing=1:1': there is no such operation", done.stderr)


if __name__ == "__main__":
    unittest_xml.main()
