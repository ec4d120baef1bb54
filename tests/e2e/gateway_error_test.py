#!/usr/bin/python3
"""What AWS clients see of calls that fail: status, name and message."""

import unittest

from tests import unittest_xml
from tests.e2e import annalsd

MODEL = "com.amazonaws.swf.service.v2.model#"
VALIDATION = "com.amazon.coral.validate#ValidationException"
SERVICE = "com.amazon.coral.service#"
ARN = annalsd.arn("a")
HEAD = "arn:aws:states:us-east-1:123456789012:"
FAILED = "failed to satisfy constraint: Member must "


def violation(value, member, rule):
    return "Value %s at '%s' %s%s" % (value, member, FAILED, rule)


# Request, status, name, message or its beginning (…).
CASES = {
    "no_prefix": ({"executionArn": "hello"}, 400, MODEL + "InvalidArn",
                  "Invalid Arn: 'Invalid ARN prefix: hello'"),
    "express": ({"executionArn": HEAD + "express:M:N:O"}, 400, MODEL + "InvalidArn",
                "Invalid Arn: 'Resource type not valid in this context: express'"),
    "state_machine": ({"executionArn": HEAD + "stateMachine:M"}, 400, MODEL + "InvalidArn",
                      "Invalid Arn: 'Resource type not valid in this context: stateMachine'"),
    "activity": ({"executionArn": HEAD + "activity:M"}, 400, MODEL + "InvalidArn",
                 "Invalid Arn: 'Resource type not valid in this context: activity'"),
    "too_few_parts": ({"executionArn": "arn:aws:states"}, 400, MODEL + "InvalidArn",
                      "Invalid Arn: '…"),
    "not_states": ({"executionArn": "arn:aws:sqs:us-east-1:123456789012:execution:M:N"}, 400,
                   MODEL + "InvalidArn", "Invalid Arn: '…"),
    "no_such_execution": ({"executionArn": ARN + "nobody"}, 400, MODEL + "ExecutionDoesNotExist",
                          "Execution Does Not Exist: '%snobody'" % ARN),
    "token": ({"executionArn": ARN, "nextToken": "x"}, 400, MODEL + "InvalidToken",
              "Invalid Token: 'Invalid token'"),
    "max_results_1001": (
        {"executionArn": ARN, "maxResults": 1001}, 400, VALIDATION, "1 validation error detected: "
        + violation("'1001'", "maxResults", "have value less than or equal to 1000")),
    "max_results_negative": (
        {"executionArn": ARN, "maxResults": -1}, 400, VALIDATION, "1 validation error detected: "
        + violation("'-1'", "maxResults", "have value greater than or equal to 0")),
    "token_of_1025": (
        {"executionArn": ARN, "nextToken": "x" * 1025}, 400, VALIDATION,
        "1 validation error detected: " + violation(
            "'%s'" % ("x" * 1025), "nextToken", "have length less than or equal to 1024")),
    "token_empty": (
        {"executionArn": ARN, "nextToken": ""}, 400, VALIDATION, "1 validation error detected: "
        + violation("''", "nextToken", "have length greater than or equal to 1")),
    "arn_of_257": (
        {"executionArn": "x" * 257}, 400, VALIDATION, "1 validation error detected: "
        + violation("'%s'" % ("x" * 257), "executionArn", "have length less than or equal to 256")),
    "arn_empty": ({"executionArn": ""}, 400, VALIDATION, "1 validation error detected: " + violation(
        "''", "executionArn", "have length greater than or equal to 1")),
    "arn_missing": ({}, 400, VALIDATION, "1 validation error detected: " + violation(
        "null", "executionArn", "not be null")),
    "arn_null": ({"executionArn": None}, 400, VALIDATION, "1 validation error detected: " + violation(
        "null", "executionArn", "not be null")),
    "two_violations": (
        {"executionArn": "", "maxResults": 1001}, 400, VALIDATION, "2 validation errors detected: "
        + violation("''", "executionArn", "have length greater than or equal to 1") + "; "
        + violation("'1001'", "maxResults", "have value less than or equal to 1000")),
    "constraints_before_the_arn": (
        {"executionArn": "hello", "maxResults": 1001}, 400, VALIDATION,
        "1 validation error detected: " + violation(
            "'1001'", "maxResults", "have value less than or equal to 1000")),
    "the_arn_before_the_token": ({"executionArn": "hello", "nextToken": "x"}, 400,
                                 MODEL + "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: hello'"),
    "not_json": (b"{", 400, SERVICE + "SerializationException", "…"),
    "not_an_object": (b"[]", 400, SERVICE + "SerializationException", "…"),
    "arn_a_number": ({"executionArn": 1}, 400, SERVICE + "SerializationException",
                     "executionArn: …"),
    "max_results_text": ({"executionArn": ARN, "maxResults": "7"}, 400,
                         SERVICE + "SerializationException", "maxResults: …"),
    "reverse_order_text": ({"executionArn": ARN, "reverseOrder": "true"}, 400,
                           SERVICE + "SerializationException", "reverseOrder: …"),
}


class GatewayErrorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd()
        cls.addClassCleanup(cls.server.stop)
        cls.gateway = annalsd.Gateway(cls.server.gateway)
        cls.addClassCleanup(cls.gateway.close)
        with annalsd.Client(cls.server.grpc) as client:
            client.append(ARN, annalsd.simple_history(3))

    def check(self, request, status, name, message):
        found = self.gateway.error(request)
        self.assertEqual(found[:2], (status, name))
        if message.endswith("…"):
            self.assertTrue(found[2].startswith(message[:-1]), found[2])
        else:
            self.assertEqual(found[2], message)

    def test_targets(self):
        for target in None, "", "AWSStepFunctions.StartExecution", "Other.GetExecutionHistory":
            status, name, message = self.gateway.error({}, target=target)
            self.assertEqual((status, name), (400, SERVICE + "UnknownOperationException"))
            self.assertIn("AWSStepFunctions.GetExecutionHistory", message)

    def test_content_type(self):
        for value in "application/json", "application/x-amz-json-1.1", "text/plain":
            self.assertEqual(self.gateway.error({"executionArn": ARN}, **{"Content-Type": value})[:2],
                             (400, SERVICE + "UnknownOperationException"))

    def test_method(self):
        for method in "GET", "PUT", "DELETE":
            self.gateway.connection.request(method, "/")
            answer = self.gateway.connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, 404)

    def test_null_and_unknown_members(self):
        page = self.gateway.page(ARN, maxResults=None, nextToken=None, reverseOrder=None,
                                 includeExecutionData=None, somethingElse={"a": [1]})
        self.assertEqual([e["id"] for e in page["events"]], [1, 2, 3])

    def test_headers(self):
        _, headers, _ = self.gateway.post({"executionArn": ARN})
        self.assertRegex(headers["x-amzn-RequestId"],
                         r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
        self.assertIn("Date", headers)
        self.assertIn("Content-Length", headers)


for _name, _case in CASES.items():
    setattr(GatewayErrorTest, "test_" + _name, lambda self, case=_case: self.check(*case))

if __name__ == "__main__":
    unittest_xml.main()
