#!/usr/bin/python3
"""What AWS clients see of calls that fail, to the byte: status, headers, name and message."""

import json
import unittest

from tests import unittest_xml
from tests.e2e import annalsd, raw_http

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
    "arn_of_256_is_looked_at": (
        {"executionArn": "x" * 256}, 400, MODEL + "InvalidArn",
        "Invalid Arn: 'Invalid ARN prefix: %s'" % ("x" * 256)),
    "lengths_count_bytes": (
        {"executionArn": "é" * 129}, 400, VALIDATION, "1 validation error detected: " + violation(
            "'%s'" % ("é" * 129), "executionArn", "have length less than or equal to 256")),
    "values_are_quoted_as_they_are": (
        {"executionArn": "'\"\\\n\u0001/<é\U0001f600" + "x" * 256}, 400, VALIDATION,
        "1 validation error detected: " + violation(
            "''\"\\\n\u0001/<é\U0001f600%s'" % ("x" * 256), "executionArn",
            "have length less than or equal to 256")),
    "token_of_1024_is_looked_at": ({"executionArn": ARN, "nextToken": "x" * 1024}, 400,
                                   MODEL + "InvalidToken", "Invalid Token: 'Invalid token'"),
    "arn_prefix_in_capitals": ({"executionArn": HEAD.upper()}, 400, MODEL + "InvalidArn",
                               "Invalid Arn: 'Invalid ARN prefix: %s'" % HEAD.upper()),
    "map_run": ({"executionArn": HEAD + "mapRun:M/Label:uuid"}, 400, MODEL + "InvalidArn",
                "Invalid Arn: 'Resource type not valid in this context: mapRun'"),
    "express_of_another_shape": (
        {"executionArn": HEAD + "express"}, 400, MODEL + "InvalidArn",
        "Invalid Arn: 'Resource type not valid in this context: express'"),
    "express_in_china": (
        {"executionArn": "arn:aws-cn:states:cn-north-1:123456789012:express:M:N:O"}, 400,
        MODEL + "InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'"),
    "region": ({"executionArn": "arn:aws:states::123456789012:execution:M:N"}, 400,
               MODEL + "InvalidArn", "Invalid Arn: '…"),
    "account": ({"executionArn": "arn:aws:states:us-east-1:12345678901:execution:M:N"}, 400,
                MODEL + "InvalidArn", "Invalid Arn: '…"),
    "partition": ({"executionArn": "arn:azure:states:us-east-1:123456789012:execution:M:N"}, 400,
                  MODEL + "InvalidArn", "Invalid Arn: '…"),
    "no_name": ({"executionArn": HEAD + "execution:M"}, 400, MODEL + "InvalidArn",
                "Invalid Arn: '…"),
    "too_many_names": ({"executionArn": HEAD + "execution:M:N:O"}, 400, MODEL + "InvalidArn",
                       "Invalid Arn: '…"),
    "no_such_labelled_execution": (
        {"executionArn": HEAD + "execution:M/Label:4a4c6e4f-0d7f-4f0b-8a2e-0e0c3a2f5b1d"}, 400,
        MODEL + "ExecutionDoesNotExist", "Execution Does Not Exist: '%s'"
        % (HEAD + "execution:M/Label:4a4c6e4f-0d7f-4f0b-8a2e-0e0c3a2f5b1d")),
    "no_such_execution_in_gov_cloud": (
        {"executionArn": "arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:M:N"}, 400,
        MODEL + "ExecutionDoesNotExist", "Execution Does Not Exist: "
        "'arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:M:N'"),
    "the_token_before_existence": ({"executionArn": ARN + "nobody", "nextToken": "x"}, 400,
                                   MODEL + "InvalidToken", "Invalid Token: 'Invalid token'"),
    "max_results_of_32_bits": (
        {"executionArn": ARN, "maxResults": 2147483647}, 400, VALIDATION,
        "1 validation error detected: " + violation(
            "'2147483647'", "maxResults", "have value less than or equal to 1000")),
    "max_results_in_e_notation": (
        b'{"executionArn":"%s","maxResults":10.01E2}' % ARN.encode(), 400, VALIDATION,
        "1 validation error detected: " + violation(
            "'1001'", "maxResults", "have value less than or equal to 1000")),
    "three_violations": (
        {"nextToken": "", "maxResults": -5}, 400, VALIDATION, "3 validation errors detected: "
        + violation("null", "executionArn", "not be null") + "; "
        + violation("'-5'", "maxResults", "have value greater than or equal to 0") + "; "
        + violation("''", "nextToken", "have length greater than or equal to 1")),
    "members_in_other_letters": ({"ExecutionArn": ARN}, 400, VALIDATION,
                                 "1 validation error detected: " + violation(
                                     "null", "executionArn", "not be null")),
    "an_empty_body": (b"", 400, VALIDATION, "1 validation error detected: " + violation(
        "null", "executionArn", "not be null")),
    "the_last_of_two_members": (
        b'{"executionArn":7,"executionArn":"hello"}', 400, MODEL + "InvalidArn",
        "Invalid Arn: 'Invalid ARN prefix: hello'"),
    "types_before_constraints": ({"executionArn": "", "maxResults": "x"}, 400,
                                 SERVICE + "SerializationException", "maxResults: …"),
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
}

# Bodies that are not what the operation takes, and how the message begins.
NOT_SERIALIZED = {
    "cut_off": (b"{", "line 1, column 1: "),
    "white_space": (b" \n", "line 2, column 0: "),
    "behind_the_end": (b"{}x", "line 1, column 3: "),
    "two_objects": (b"{}{}", "line 1, column 3: "),
    "array": (b"[]", "body: expected an object, found an array"),
    "text": (b'"x"', "body: expected an object, found a string"),
    "number": (b"1", "body: expected an object, found a number"),
    "null": (b"null", "body: expected an object, found null"),
    "boolean": (b"true", "body: expected an object, found a boolean"),
    "byte_order_mark": (b"\xef\xbb\xbf{}", "line 1, column 1: "),
    "utf_16": ("{}".encode("utf-16"), "line 1, column "),
    "utf_16_without_mark": ("{}".encode("utf-16-be"), "line 1, column "),
    "latin_1": (b'{"executionArn":"\xe9"}', "line 1, column "),
    "overlong_utf_8": (b'{"executionArn":"\xc0\x80"}', "line 1, column "),
    "surrogate_in_utf_8": (b'{"executionArn":"\xed\xa0\x80"}', "line 1, column "),
    "above_unicode": (b'{"executionArn":"\xf4\x90\x80\x80"}', "line 1, column "),
    "lone_surrogate": (b'{"executionArn":"\\ud800"}', "line 1, column "),
    "surrogates_the_wrong_way_round": (b'{"executionArn":"\\udc00\\ud800"}', "line 1, column "),
    "nul": (b'{"executionArn":"a\0b"}', "line 1, column "),
    "nul_escaped": (b'{"executionArn":"a\\u0000b"}', "line 1, column "),
    "newline_in_text": (b'{"executionArn":"a\nb"}', "line 1, column "),
    "comment": (b"{/* */}", "line 1, column "),
    "comma_at_the_end": (b'{"maxResults":1,}', "line 1, column "),
    "single_quotes": (b"{'maxResults':1}", "line 1, column "),
    "member_without_quotes": (b"{maxResults:1}", "line 1, column "),
    "not_a_number": (b'{"maxResults":NaN}', "line 1, column "),
    "infinite": (b'{"maxResults":1E400}', "maxResults: expected an integer of 32 bits"),
    "leading_zero": (b'{"maxResults":01}', "line 1, column "),
    "leading_plus": (b'{"maxResults":+1}', "line 1, column "),
    "hexadecimal": (b'{"maxResults":0x10}', "line 1, column "),
    "point_without_decimals": (b'{"maxResults":1.}', "line 1, column "),
    "deep": (b'{"a":' + b"[" * 2048 + b"]" * 2048 + b"}", "line 1, column "),
    "too_many_values": (b"[" * 100000, "the body has more than 10000 values"),
    "form": (b"executionArn=x", "line 1, column "),
    "gzip": (b"\x1f\x8b\x08\0\0\0\0\0\0\3", "line 1, column "),
    "arn_a_number": ({"executionArn": 1}, "executionArn: expected a string, found a number"),
    "arn_an_object": ({"executionArn": {}}, "executionArn: expected a string, found an object"),
    "arn_an_array": ({"executionArn": [ARN]}, "executionArn: expected a string, found an array"),
    "arn_a_boolean": ({"executionArn": True}, "executionArn: expected a string, found a boolean"),
    "token_a_number": ({"nextToken": 1}, "nextToken: expected a string, found a number"),
    "max_results_text": ({"maxResults": "7"}, "maxResults: expected an integer, found a string"),
    "max_results_boolean": ({"maxResults": True}, "maxResults: expected an integer, found a boo"),
    "max_results_with_decimals": ({"maxResults": 100.5}, "maxResults: expected an integer, found"),
    "max_results_above_32_bits": ({"maxResults": 2**31}, "maxResults: expected an integer of 32"),
    "max_results_below_32_bits": ({"maxResults": -2**31 - 1}, "maxResults: expected an integer of"),
    "max_results_above_64_bits": ({"maxResults": 10**30}, "maxResults: expected an integer of 32"),
    "max_results_huge": ({"maxResults": 1e300}, "maxResults: expected an integer of 32 bits"),
    "reverse_order_text": ({"reverseOrder": "true"}, "reverseOrder: expected a boolean, found a st"),
    "reverse_order_number": ({"reverseOrder": 1}, "reverseOrder: expected a boolean, found a numb"),
    "include_text": ({"includeExecutionData": "false"}, "includeExecutionData: expected a boolean"),
}

# Bodies that ask for ARN's three events in unusual ways.
GOOD = {
    "integer_with_decimals": b'"maxResults":100.0',
    "e_notation": b'"maxResults":1e2',
    "minus_zero": b'"maxResults":-0',
    "zero": b'"maxResults":0',
    "zero_with_decimals": b'"maxResults":0.000',
    "a_member_twice": b'"maxResults":1,"maxResults":1000',
    "null_after_a_value": b'"maxResults":1,"maxResults":null',
    "escaped_name": b'"max\\u0052esults":3',
    "nulls": b'"maxResults":null,"nextToken":null,"reverseOrder":null,"includeExecutionData":null',
    "unknown": b'"x":{"y":[1,{"z":null}]},"":0,"maxresults":"x"',
    "unknown_huge_number": b'"x":123456789012345678901234567890',
    "unknown_deep": b'"x":' + b"[" * 2047 + b"]" * 2047,
    "white_space": b' \t\r\n"maxResults" : 3\n',
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

    def ask(self, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return raw_http.ask(self.server.gateway, raw_http.request(data))

    def check(self, request, status, name, message):
        answer = self.ask(request)
        self.assertEqual((answer.status, answer.error[0]), (status, name))
        self.assertFalse(answer.closing)
        if message.endswith("…"):
            self.assertTrue(answer.error[1].startswith(message[:-1]), answer.error[1])
        else:
            self.assertEqual(answer.error[1], message)

    def test_not_serialized(self):
        for name, (body, message) in NOT_SERIALIZED.items():
            with self.subTest(name):
                self.check(body, 400, SERVICE + "SerializationException", message + "…")

    def test_good_in_unusual_ways(self):
        for name, more in GOOD.items():
            with self.subTest(name):
                answer = self.ask(b'{"executionArn":"%s",%s}' % (ARN.encode(), more))
                self.assertEqual(answer.status, 200, answer.body)
                self.assertEqual([e["id"] for e in json.loads(answer.body)["events"]], [1, 2, 3])

    def test_failed_calls_are_logged_with_their_ids(self):
        for body in b"{", b"{}", b'{"executionArn":"%snobody"}' % ARN.encode():
            answer = self.ask(body)
            lines = [json.loads(line) for line in self.server.log().splitlines()]
            found = [l for l in lines if l.get("request_id") == answer.fields["x-amzn-requestid"]]
            self.assertEqual([(l["message"], l["reason"], l["http_status"]) for l in found],
                             [("call failed", answer.error[0].partition("#")[2], 400)])

    def test_targets(self):
        for target in (None, "", "AWSStepFunctions.StartExecution", "Other.GetExecutionHistory",
                       "GetExecutionHistory", "awsstepfunctions.GetExecutionHistory",
                       "AWSStepFunctions.getexecutionhistory", "AWSStepFunctions.",
                       "AWSStepFunctions.GetExecutionHistory2",
                       "com.amazonaws.swf.service.v2.model#AWSStepFunctions.GetExecutionHistory"):
            status, name, message = self.gateway.error({}, target=target)
            self.assertEqual((status, name), (400, SERVICE + "UnknownOperationException"))
            self.assertIn("AWSStepFunctions.GetExecutionHistory", message)

    def test_content_type(self):
        for value in ("application/x-amz-json-1.0; charset=utf-8", "APPLICATION/X-AMZ-JSON-1.0",
                      "application/x-amz-json-1.0 ; charset=utf-8", "application/x-amz-json-1.0 "):
            self.assertEqual(self.gateway.post({"executionArn": ARN}, **{"Content-Type": value})[0],
                             200, value)
        for value in ("application/json", "application/x-amz-json-1.1", "text/plain", "",
                      "application/x-amz-json-1.0x", "application/x-www-form-urlencoded",
                      "x, application/x-amz-json-1.0"):
            self.assertEqual(self.gateway.error({"executionArn": ARN}, **{"Content-Type": value})[:2],
                             (400, SERVICE + "UnknownOperationException"))


for _name, _case in CASES.items():
    setattr(GatewayErrorTest, "test_" + _name, lambda self, case=_case: self.check(*case))

if __name__ == "__main__":
    unittest_xml.main()
