#!/usr/bin/python3
"""Descriptions and listings agree with the histories, through every client, also after a restart."""

import json
import time
import unittest

import grpc

from annals.v1 import history_service_pb2
from google.protobuf import json_format
from tests import unittest_xml
from tests.data import history_file
from tests.e2e import annalsd, aws
from tests.e2e.annalsd import ARN_HEAD, MACHINE_ARN, HistoryEvent, started
from tests.e2e.executions import ENDS, description, item, newest_first
from tests.e2e.histories import FILES
from tests.e2e.server_test_case import ServerTest

STATUSES = ("RUNNING", *ENDS.values(), "PENDING_REDRIVE")
DATES = ("startDate", "stopDate", "redriveDate")
PAGE_SIZES = (1, 2, 3, 1000)


def as_json(message):
    """A message as AWS writes it: times as numbers, names without their enum's, and a 0 that counts."""
    value = json_format.MessageToDict(message)
    for name in DATES:
        if name in value:
            stamp = getattr(message, {"startDate": "start_date", "stopDate": "stop_date",
                                      "redriveDate": "redrive_date"}[name])
            value[name] = stamp.seconds + stamp.nanos // 1000000 / 1000
    value["status"] = value["status"][len("EXECUTION_STATUS_"):]
    if "redriveStatus" in value:
        value["redriveStatus"] = value["redriveStatus"][len("EXECUTION_REDRIVE_STATUS_"):]
    return {"redriveCount": 0, **value}


class Executions:
    """Checks of one server that holds the files."""

    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd()
        cls.addClassCleanup(cls.server.stop)
        annalsd.run_cli("--endpoint", cls.server.grpc, "import", "--arn-prefix",
                        annalsd.ARN_PREFIX, *FILES.values())
        cls.events = {annalsd.arn(n): history_file.load(p) for n, p in FILES.items()}
        cls.items = newest_first(item(a, e) for a, e in cls.events.items())
        cls.prepare()
        cls.client = annalsd.Client(cls.server.grpc)
        cls.addClassCleanup(cls.client.close)
        cls.gateway = annalsd.Gateway(cls.server.gateway)
        cls.addClassCleanup(cls.gateway.close)
        cls.boto3 = aws.boto3_client(cls.server.gateway)
        cls.model = aws.Model("botocore")

    @classmethod
    def prepare(cls):
        pass

    def test_descriptions(self):
        for arn, events in self.events.items():
            expected = description(arn, events)
            self.assertEqual(self.gateway.call("DescribeExecution", executionArn=arn), expected)
            self.assertEqual(as_json(self.client.describe(arn)), expected)

    def test_descriptions_without_data(self):
        for arn, events in self.events.items():
            expected = description(arn, events, with_data=False)
            self.assertEqual(self.gateway.call("DescribeExecution", executionArn=arn,
                                               includedData="METADATA_ONLY"), expected)
            self.assertEqual(as_json(self.client.describe(
                arn, included_data="INCLUDED_DATA_METADATA_ONLY")), expected)

    def test_listing_in_pages(self):
        for size in PAGE_SIZES:
            pages = list(self.gateway.list_pages(stateMachineArn=MACHINE_ARN, maxResults=size))
            self.assertEqual([e for p in pages for e in p["executions"]], self.items)
            self.assertEqual(len(pages), -(-len(self.items) // size))
            pages = list(self.client.list_pages(state_machine_arn=MACHINE_ARN, max_results=size))
            self.assertEqual([as_json(e) for p in pages for e in p.executions], self.items)
            self.assertEqual(len(pages), -(-len(self.items) // size))

    def test_filters(self):
        for status in (None, *STATUSES):
            for redriven in None, True, False:
                expected = [e for e in self.items if (not status or e["status"] == status) and
                            (redriven is None or (e["redriveCount"] > 0) == redriven)]
                http = {"stateMachineArn": MACHINE_ARN, "maxResults": 7}
                message = {"state_machine_arn": MACHINE_ARN, "max_results": 7}
                if status:
                    http["statusFilter"] = status
                    message["status_filter"] = "EXECUTION_STATUS_" + status
                if redriven is not None:
                    http["redriveFilter"] = "REDRIVEN" if redriven else "NOT_REDRIVEN"
                    message["redrive_filter"] = "EXECUTION_REDRIVE_FILTER_" + http["redriveFilter"]
                self.assertEqual(self.gateway.list_all(**http), expected)
                self.assertEqual([as_json(e) for e in self.client.list_all(**message)], expected)
        self.assertTrue(any(e["redriveCount"] > 0 for e in self.items))

    def test_boto3(self):
        for arn, events in self.events.items():
            expected = self.model.prune(description(arn, events), "DescribeExecutionOutput")
            self.assertEqual(aws.execution_with_numbers(
                self.boto3.describe_execution(executionArn=arn)), expected)

    def test_boto3_paginator(self):
        paginator = self.boto3.get_paginator("list_executions")
        expected = [self.model.prune(e, "ExecutionListItem") for e in self.items]
        for more in {}, {"PaginationConfig": {"PageSize": 7}}:
            pages = paginator.paginate(stateMachineArn=MACHINE_ARN, **more)
            self.assertEqual([aws.execution_with_numbers(e) for p in pages
                              for e in p["executions"]], expected)
        pages = paginator.paginate(stateMachineArn=MACHINE_ARN, statusFilter="FAILED")
        self.assertEqual([e["executionArn"] for p in pages for e in p["executions"]],
                         [e["executionArn"] for e in self.items if e["status"] == "FAILED"])

    def test_aws_cli(self):
        arn = annalsd.arn("hello_world")
        model = aws.Model("awscli.botocore")
        done = aws.run_cli(self.server.gateway, "--execution-arn", arn, command="describe-execution")
        self.assertEqual(aws.execution_with_numbers(json.loads(done.stdout)), model.prune(
            description(arn, self.events[arn]), "DescribeExecutionOutput"))
        done = aws.run_cli(self.server.gateway, "--state-machine-arn", MACHINE_ARN,
                           command="list-executions")
        self.assertEqual([aws.execution_with_numbers(e) for e in json.loads(done.stdout)["executions"]],
                         [model.prune(e, "ExecutionListItem") for e in self.items])

    def annals(self, *args):
        return annalsd.run_cli("--endpoint", self.server.grpc, *args).stdout

    def test_cli(self):
        for arn in map(annalsd.arn, ("hello_world", "redrive", "branches")):
            for args, with_data in ((), True), (("--metadata-only",), False):
                self.assertEqual(json.loads(self.annals("describe", arn, *args)),
                                 description(arn, self.events[arn], with_data))
        self.assertEqual(json.loads(self.annals("list", MACHINE_ARN)), {"executions": self.items})
        page = json.loads(self.annals("list", MACHINE_ARN, "--max-results", "3"))
        rest = json.loads(self.annals("list", MACHINE_ARN, "--max-results", "1000", "--next-token",
                                      page["nextToken"]))
        self.assertEqual(page["executions"] + rest["executions"], self.items)
        for args, redriven in (("--redriven",), True), (("--not-redriven",), False):
            self.assertEqual(json.loads(self.annals("list", MACHINE_ARN, "--status", "SUCCEEDED",
                                                    *args))["executions"],
                             [e for e in self.items if e["status"] == "SUCCEEDED"
                              and (e["redriveCount"] > 0) == redriven])
        self.assertEqual(len(self.annals("list", MACHINE_ARN, "--output", "table").splitlines()),
                         len(self.items) + 1)


class MemoryTest(Executions, unittest.TestCase):
    """Asked of the server that took the histories in."""


class ColdTest(Executions, unittest.TestCase):
    """Asked after a restart."""

    @classmethod
    def prepare(cls):
        cls.server.restart()


def event(event_id, kind, seconds, **fields):
    message = HistoryEvent(id=event_id, previous_event_id=event_id - 1,
                           type="HISTORY_EVENT_TYPE_EXECUTION_" + kind)
    message.timestamp.seconds = seconds
    if kind != "REDRIVEN":
        named = getattr(message, "execution_%s_event_details" % kind.lower())
        named.SetInParent()
        for name, value in fields.items():
            setattr(named, name, value)
    return message


class LifeTest(ServerTest):
    """Executions as they go on, of map runs, versions and aliases."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gateway = annalsd.Gateway(cls.server.gateway)
        cls.addClassCleanup(cls.gateway.close)

    def setUp(self):
        super().setUp()
        self.machine = ARN_HEAD + "stateMachine:" + self.arn.rpartition(":")[2]
        self.arn = self.machine.replace("stateMachine", "execution") + ":e"

    def check(self, *expected, **parent):
        """Checks a listing, with each filter, and that descriptions agree."""
        parent = parent or {"stateMachineArn": self.machine}
        self.assertEqual(self.gateway.list_all(**parent), list(expected))
        for status in STATUSES:
            self.assertEqual(self.gateway.list_all(**parent, statusFilter=status),
                             [e for e in expected if e["status"] == status])
        for listed in expected:
            described = self.gateway.call("DescribeExecution", executionArn=listed["executionArn"])
            self.assertEqual({**described, **listed}, {**described, **{
                k: v for k, v in listed.items() if k == "itemCount"}})

    def test_from_start_to_end(self):
        now = int(time.time())
        turns = [event(2, "FAILED", now + 1, error="E", cause="c"), event(3, "REDRIVEN", now + 2),
                 event(4, "TIMED_OUT", now + 3), event(5, "REDRIVEN", now + 4),
                 event(6, "ABORTED", now + 5), event(7, "REDRIVEN", now + 6),
                 event(8, "SUCCEEDED", now + 7, output="[]")]
        self.append(started(now))
        base = {"executionArn": self.arn, "stateMachineArn": self.machine, "name": "e",
                "startDate": now}
        self.check({**base, "status": "RUNNING", "redriveCount": 0})
        last = None
        for count, turn in enumerate(turns):
            self.append(turn)
            redrives = (count + 1) // 2
            expected = {**base, "status": ("RUNNING" if count % 2 else
                                           ("FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED")[count // 2]),
                        "redriveCount": redrives}
            if redrives:
                expected["redriveDate"] = now + 2 * redrives
            if count % 2 == 0:
                expected["stopDate"] = now + count + 1
            self.check(expected)
            last = self.gateway.call("DescribeExecution", executionArn=self.arn)
            if expected["status"] == "FAILED":
                self.assertEqual((last["error"], last["cause"], last["redriveStatus"]),
                                 ("E", "c", "REDRIVABLE"))
                self.assertNotIn("redriveStatusReason", last)
            elif expected["status"] in ("TIMED_OUT", "ABORTED"):
                self.assertEqual(last["redriveStatus"], "REDRIVABLE")
                self.assertNotIn("error", last)
            else:
                self.assertEqual(last["redriveStatus"], "NOT_REDRIVABLE")
        self.assertEqual(last["output"], "[]")

    def test_map_run(self):
        label = self.machine.replace("stateMachine", "execution") + "/Label:"
        run = self.machine.replace("stateMachine", "mapRun") + "/Label:run"
        now = int(time.time())
        children = []
        for i in range(3):
            arn = label + "child-%d" % i
            self.client.append(arn, [started(now + i), event(2, "FAILED", now + i)], map_run_arn=run,
                               item_count=i, trace_header="Root=%d" % i)
            children.insert(0, {
                "executionArn": arn, "stateMachineArn": self.machine + "/Label",
                "name": "child-%d" % i, "status": "FAILED", "startDate": now + i,
                "stopDate": now + i, "mapRunArn": run, "redriveCount": 0,
                **({"itemCount": i} if i else {})})
        self.check(*children, mapRunArn=run)
        self.check(*children, stateMachineArn=self.machine + "/Label")
        self.check()
        described = self.gateway.call("DescribeExecution", executionArn=label + "child-1")
        self.assertEqual((described["traceHeader"], described["redriveStatus"]),
                         ("Root=1", "REDRIVABLE_BY_MAP_RUN"))
        self.assertEqual(as_json(self.client.describe(label + "child-1")),
                         {**described, "itemCount": 1})
        self.assertEqual([as_json(e) for e in self.client.list_all(map_run_arn=run)], children)

    def test_versions_and_aliases(self):
        names = {"state_machine_version_arn": self.machine + ":3",
                 "state_machine_alias_arn": self.machine + ":PROD"}
        self.append(started(1700000000, **names))
        self.client.append(self.arn + "2", [started(1700000000)])
        first = {"executionArn": self.arn, "stateMachineArn": self.machine, "name": "e",
                 "status": "RUNNING", "startDate": 1700000000, "redriveCount": 0,
                 "stateMachineVersionArn": self.machine + ":3",
                 "stateMachineAliasArn": self.machine + ":PROD"}
        second = {k: v for k, v in first.items() if "Machine" not in k or k == "stateMachineArn"}
        self.check(first, {**second, "executionArn": self.arn + "2", "name": "e2"})
        self.check(first, stateMachineArn=self.machine + ":3")
        self.check(first, stateMachineArn=self.machine + ":PROD")
        self.check(stateMachineArn=self.machine + ":4")

    def test_state_machine_of_another_name(self):
        other = self.machine + "-other"
        self.append(started(), state_machine_arn=other)
        self.check()
        self.assertEqual([e["executionArn"] for e in self.gateway.list_all(stateMachineArn=other)],
                         [self.arn])

    def test_longest_input_and_output(self):
        text = "\x01" * 262144
        self.append(started(input=text), event(2, "SUCCEEDED", 1700000000, output=text))
        described = self.gateway.call("DescribeExecution", executionArn=self.arn)
        self.assertEqual((described["input"], described["output"]), (text, text))
        self.assertEqual(as_json(self.client.describe(self.arn)), described)

    def test_tokens_of_other_operations(self):
        for name in "abc":
            self.client.append(self.arn + name, annalsd.simple_history(3))
        history = self.gateway.page(self.arn + "a", maxResults=1)["nextToken"]
        listing = self.gateway.call("ListExecutions", stateMachineArn=self.machine,
                                    maxResults=1)["nextToken"]
        invalid = (400, "com.amazonaws.swf.service.v2.model#InvalidToken",
                   "Invalid Token: 'Invalid token'")
        self.assertEqual(self.gateway.error({"executionArn": self.arn + "a", "nextToken": listing}),
                         invalid)
        for members in ({"stateMachineArn": self.machine, "nextToken": history},
                        {"stateMachineArn": self.machine + "x", "nextToken": listing},
                        {"stateMachineArn": self.machine, "nextToken": listing,
                         "statusFilter": "RUNNING"},
                        {"stateMachineArn": self.machine, "nextToken": listing[:-1]}):
            self.assertEqual(self.gateway.error(members, target="AWSStepFunctions.ListExecutions"),
                             invalid)
        for call in (lambda: self.client.page(self.arn + "a", next_token=listing),
                     lambda: self.client.list(state_machine_arn=self.machine, next_token=history)):
            self.refused(call, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_TOKEN", {})


VALIDATION = "com.amazon.coral.validate#ValidationException"
FAILED = "1 validation error detected: Value %s at '%s' failed to satisfy constraint: Member must %s"
STATUS_SET = "satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"
MODEL = "com.amazonaws.swf.service.v2.model#"

# Operation, members, error, message.
ERRORS = {
    "no_arn": ("DescribeExecution", {}, VALIDATION, FAILED % ("null", "executionArn", "not be null")),
    "long_arn": ("DescribeExecution", {"executionArn": "x" * 257}, VALIDATION, FAILED % (
        "'%s'" % ("x" * 257), "executionArn", "have length less than or equal to 256")),
    "included_data": (
        "DescribeExecution", {"executionArn": annalsd.arn("a"), "includedData": "NONE"}, VALIDATION,
        FAILED % ("'NONE'", "includedData", "satisfy enum value set: [ALL_DATA, METADATA_ONLY]")),
    "nobody": ("DescribeExecution", {"executionArn": annalsd.arn("nobody")},
               MODEL + "ExecutionDoesNotExist",
               "Execution Does Not Exist: '%s'" % annalsd.arn("nobody")),
    "machine_described": (
        "DescribeExecution", {"executionArn": MACHINE_ARN}, MODEL + "InvalidArn",
        "Invalid Arn: 'Resource type not valid in this context: stateMachine'"),
    "nothing_to_list": ("ListExecutions", {}, VALIDATION,
                        "Must provide a StateMachine ARN or MapRun ARN"),
    "execution_listed": (
        "ListExecutions", {"stateMachineArn": annalsd.arn("a")}, MODEL + "InvalidArn",
        "Invalid Arn: 'Resource type not valid in this context: execution'"),
    "status_filter": (
        "ListExecutions", {"stateMachineArn": MACHINE_ARN, "statusFilter": "running"}, VALIDATION,
        FAILED % ("'running'", "statusFilter", STATUS_SET)),
    "redrive_filter": (
        "ListExecutions", {"stateMachineArn": MACHINE_ARN, "redriveFilter": "YES"}, VALIDATION,
        FAILED % ("'YES'", "redriveFilter", "satisfy enum value set: [REDRIVEN, NOT_REDRIVEN]")),
    "max_results": (
        "ListExecutions", {"stateMachineArn": MACHINE_ARN, "maxResults": 1001}, VALIDATION,
        FAILED % ("'1001'", "maxResults", "have value less than or equal to 1000")),
    "token": (
        "ListExecutions", {"stateMachineArn": MACHINE_ARN, "nextToken": "t" * 3097}, VALIDATION,
        FAILED % ("'%s'" % ("t" * 3097), "nextToken", "have length less than or equal to 3096")),
    "map_run": (
        "ListExecutions", {"mapRunArn": "r" * 2001}, VALIDATION,
        FAILED % ("'%s'" % ("r" * 2001), "mapRunArn", "have length less than or equal to 2000")),
}


class ErrorTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gateway = annalsd.Gateway(cls.server.gateway)
        cls.addClassCleanup(cls.gateway.close)

    def test_http(self):
        for name, (operation, members, error, message) in ERRORS.items():
            with self.subTest(name):
                self.assertEqual(
                    self.gateway.error(members, target="AWSStepFunctions." + operation),
                    (400, error, message))

    def test_grpc(self):
        for name, (operation, members, error, _) in ERRORS.items():
            with self.subTest(name):
                kind = getattr(history_service_pb2, operation + "Request")
                with self.assertRaises(annalsd.CallError) as caught:
                    self.client.call(operation, self.message_of(kind, members))
                self.assertEqual(caught.exception.reason, {
                    VALIDATION: "INVALID_REQUEST", MODEL + "InvalidArn": "INVALID_ARN",
                    MODEL + "ExecutionDoesNotExist": "EXECUTION_DOES_NOT_EXIST"}[error])

    @staticmethod
    def message_of(kind, members):
        """The message that says the same; a name that is none becomes a number that is none."""
        enums = {f.json_name for f in kind.DESCRIPTOR.fields if f.enum_type}
        return json_format.ParseDict({k: 99 if k in enums else v for k, v in members.items()},
                                     kind()).SerializeToString()


if __name__ == "__main__":
    unittest_xml.main()
