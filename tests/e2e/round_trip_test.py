#!/usr/bin/python3
"""Every recorded history goes in and comes back as it was, through every client."""

import glob
import json
import os
import re
import unittest

from tests import unittest_xml
from tests.data import history_file, make_histories
from tests.e2e import annalsd, aws
from tests.e2e.histories import CORPUS, FILES, FOLDER, execution_name

PAGE_SIZES = (1, 2, 3, 7, 1000)
# The AWS CLI takes a second for each call.
CLI_SAMPLE = 15


class HistoriesTest(unittest.TestCase):
    def test_files_are_what_makes_them_says(self):
        for name, make in make_histories.HISTORIES.items():
            with open(os.path.join(FOLDER, name), encoding="utf-8") as f:
                self.assertEqual(f.read(), make_histories.render(make()), name)

    def test_all_types_are_there(self):
        events = history_file.load(os.path.join(FOLDER, "all_types.json"))
        values = annalsd.history_event_pb2.HistoryEventType.DESCRIPTOR.values_by_name
        self.assertEqual({annalsd.enum_name(e["type"]) for e in events},
                         set(values) - {"HISTORY_EVENT_TYPE_UNSPECIFIED"})
        self.assertEqual(len({e["type"] for e in events}), 62)

    @unittest.skipUnless(CORPUS, "there is no folder of recorded histories")
    def test_corpus_is_there(self):
        self.assertGreater(len(FILES), 340)


class RoundTrip:
    """Checks of one server; a method for each file is added below."""

    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd()
        cls.addClassCleanup(cls.server.stop)
        cls.import_all()
        cls.prepare()
        cls.client = annalsd.Client(cls.server.grpc)
        cls.addClassCleanup(cls.client.close)
        cls.gateway = annalsd.Gateway(cls.server.gateway)
        cls.addClassCleanup(cls.gateway.close)
        cls.boto3 = aws.boto3_client(cls.server.gateway)
        cls.models = {name: aws.Model(name) for name in ("botocore", "awscli.botocore")}

    @classmethod
    def import_all(cls):
        done = annalsd.run_cli("--endpoint", cls.server.grpc, "import", "--arn-prefix",
                               annalsd.ARN_PREFIX, *FILES.values())
        assert done.stdout == "%d histories imported, 0 already there, 0 failed: " \
            "%d events appended, 0 already there\n" % (
                len(FILES),
                sum(len(history_file.load(p)) for p in FILES.values())), done.stdout

    @classmethod
    def prepare(cls):
        pass

    def check_http(self, name, events):
        arn = annalsd.arn(name)
        self.assertEqual(self.gateway.history(arn, maxResults=1000), events)
        for reverse in (False, True):
            whole = events[::-1] if reverse else events
            for size in PAGE_SIZES:
                pages = list(self.gateway.pages(arn, maxResults=size, reverseOrder=reverse))
                self.assertEqual([e for p in pages for e in p["events"]], whole)
                self.assertEqual(len(pages), -(-len(events) // size))

    def check_grpc(self, name, messages):
        arn = annalsd.arn(name)
        self.assertEqual(self.client.history(arn, max_results=1000), messages)
        for reverse in (False, True):
            whole = messages[::-1] if reverse else messages
            for size in PAGE_SIZES:
                pages = list(self.client.pages(arn, max_results=size, reverse_order=reverse))
                self.assertEqual([e for p in pages for e in p.events], whole)
                self.assertEqual(len(pages), -(-len(messages) // size))

    def check_boto3(self, name, events):
        kept = [self.models["botocore"].prune(e) for e in events]
        arn = annalsd.arn(name)
        self.assertEqual(aws.boto3_history(self.boto3, arn), kept)
        self.assertEqual(aws.boto3_history(self.boto3, arn, reverseOrder=True, maxResults=7),
                         kept[::-1])

    def check_without_data(self, name, events):
        arn = annalsd.arn(name)
        for reverse in (False, True):
            whole = events[::-1] if reverse else events
            self.assertEqual(self.gateway.history(
                arn, maxResults=7, reverseOrder=reverse, includeExecutionData=False), whole)
            self.assertEqual(self.client.history(
                arn, max_results=7, reverse_order=reverse, include=False),
                [annalsd.to_message(e) for e in whole])

    def check_file(self, name):
        events = history_file.load(FILES[name])
        self.check_http(name, events)
        self.check_grpc(name, [annalsd.to_message(e) for e in events])
        self.check_boto3(name, events)
        self.check_without_data(name, [history_file.without_data(e) for e in events])


class MemoryTest(RoundTrip, unittest.TestCase):
    """Read back by the server that took them in."""

    def check_aws_cli(self, name):
        events = history_file.load(FILES[name])
        kept = [self.models["awscli.botocore"].prune(e) for e in events]
        self.assertEqual(aws.cli_history(self.server.gateway, annalsd.arn(name)), kept)

    def test_aws_cli_reversed_in_pages(self):
        events = history_file.load(FILES["order_fulfilment"])
        kept = [self.models["awscli.botocore"].prune(e) for e in events]
        self.assertEqual(
            aws.cli_history(self.server.gateway, annalsd.arn("order_fulfilment"),
                            "--reverse-order", "--page-size", "7"), kept[::-1])

    def test_aws_cli_error(self):
        arn = annalsd.arn("nobody")
        done = aws.run_cli(self.server.gateway, "--execution-arn", arn)
        self.assertEqual(done.returncode, 254)
        self.assertEqual(done.stderr.strip(),
                         "An error occurred (ExecutionDoesNotExist) when calling the "
                         "GetExecutionHistory operation: Execution Does Not Exist: '%s'" % arn)

    def test_boto3_error(self):
        with self.assertRaises(self.boto3.exceptions.ExecutionDoesNotExist) as caught:
            self.boto3.get_execution_history(executionArn=annalsd.arn("nobody"))
        self.assertEqual(caught.exception.response["Error"]["Message"],
                         "Execution Does Not Exist: '%s'" % annalsd.arn("nobody"))

    def cli_files(self):
        """All, but where each start of a program takes long."""
        return dict(list(FILES.items())[::10 if annalsd.is_slow_build() else 1])

    def test_cli_history_is_the_file(self):
        for name, path in self.cli_files().items():
            done = annalsd.run_cli("--endpoint", self.server.grpc, "history", annalsd.arn(name))
            self.assertEqual(json.loads(done.stdout), {"events": history_file.load(path)}, name)

    def test_cli_history_without_execution_data_is_that_of_http(self):
        for name in self.cli_files():
            done = annalsd.run_cli("--endpoint", self.server.grpc, "history", "--no-execution-data",
                                   "--reverse", annalsd.arn(name))
            expected = self.gateway.history(annalsd.arn(name), includeExecutionData=False,
                                            reverseOrder=True, maxResults=1000)
            self.assertEqual(json.loads(done.stdout)["events"], expected, name)

    def test_import_again_finds_all_there(self):
        done = annalsd.run_cli("--endpoint", self.server.grpc, "import", "--arn-prefix",
                               annalsd.ARN_PREFIX, FILES["redrive"], FILES["branches"])
        self.assertEqual(done.stdout, "0 histories imported, 2 already there, 0 failed: "
                                      "0 events appended, 35 already there\n")


class ColdTest(RoundTrip, unittest.TestCase):
    """Read back after a restart."""

    @classmethod
    def prepare(cls):
        cls.server.restart()


def add_tests():
    names = sorted(FILES)
    for name in names:
        for case in MemoryTest, ColdTest:
            setattr(case, "test_file_" + re.sub(r"\W", "_", name),
                    lambda self, name=name: self.check_file(name))
    own = {execution_name(p) for p in glob.glob(FOLDER + "/*.json")} - {"thousand_events"}
    for name in sorted(own | set(names[::max(1, len(names) // (CLI_SAMPLE - len(own)))])):
        setattr(MemoryTest, "test_aws_cli_" + re.sub(r"\W", "_", name),
                lambda self, name=name: self.check_aws_cli(name))


add_tests()

if __name__ == "__main__":
    unittest_xml.main()
