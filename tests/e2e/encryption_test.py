#!/usr/bin/python3
"""Histories under keys of their own: nothing of a payload is on the disk, whoever has the key reads
them as any other, and who has not is told so."""

import json
import os
import subprocess
import threading
import time
import unittest

import grpc

from annals.v1 import history_service_pb2
from tests import unittest_xml
from tests.e2e import annalsd, aws
from tests.e2e.annalsd import WAIT_S, CallError, arn, passed, started

WATCH = "/annals.v1.HistoryService/WatchExecutionHistory"
MARK = "MarkedPayload"
KEY = "local:orders"
OLD_KEY = "orders " + "0123456789abcdef" * 4 + "\n"
NEW_KEY = "orders " + "fedcba9876543210" * 4 + "\n"
OTHER_KEY = "other " + "0" * 64 + "\n"
ENCRYPTED = history_service_pb2.EncryptionConfiguration(
    type="ENCRYPTION_TYPE_CUSTOMER_MANAGED_KMS_KEY", kms_key_id=KEY)
PAYLOAD = json.dumps({"it": MARK * 20})


def event(event_id, kind, **details):
    member = kind.lower() + "_event_details"
    made = annalsd.HistoryEvent(id=event_id, previous_event_id=event_id - 1,
                                type="HISTORY_EVENT_TYPE_" + kind)
    made.timestamp.seconds = 1700000000
    for name, value in details.items():
        setattr(getattr(made, member), name, value)
    return made


def exited(event_id):
    made = annalsd.HistoryEvent(id=event_id, previous_event_id=event_id - 1,
                                type="HISTORY_EVENT_TYPE_PASS_STATE_EXITED")
    made.timestamp.seconds = 1700000000
    made.state_exited_event_details.name = "Pass"
    made.state_exited_event_details.output = PAYLOAD
    made.state_exited_event_details.assigned_variables["a"] = MARK
    made.state_exited_event_details.assigned_variables["b"] = "2"
    return made


def history(count=250):
    """Has every kind of member that is encrypted."""
    events = [started(input=PAYLOAD), passed(2, payload=PAYLOAD), exited(3),
              event(4, "TASK_SCHEDULED", resource_type="lambda", resource="invoke",
                    region="us-east-1", parameters=PAYLOAD),
              event(5, "TASK_FAILED", resource_type="lambda", resource="invoke",
                    error=MARK + "Error", cause=MARK + "Cause"),
              event(6, "EVALUATION_FAILED", state="Pass", location=MARK, error=MARK, cause=MARK)]
    events += [passed(i, payload=PAYLOAD) for i in range(7, count)]
    return events + [event(count, "EXECUTION_FAILED", error=MARK, cause=MARK)]


def marked_files(directory):
    found = []
    for folder, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                if MARK.encode() in f.read():
                    found.append(name)
    return found


class EncryptionTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.dir = annalsd.new_dir()
        self.key_file = os.path.join(self.dir, "keys")
        self.put_keys(OLD_KEY)

    def put_keys(self, text):
        with open(self.key_file, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.key_file, 0o600)

    def start(self, *options, keys=True, **more):
        server = annalsd.Annalsd(*(("--kms-key-file", self.key_file) if keys else ()), *options,
                                 **more)
        self.addCleanup(server.stop)
        return server

    def client(self, server):
        client = annalsd.Client(server.grpc)
        self.addCleanup(client.close)
        return client

    def watched(self, server, name):
        with annalsd.Client(server.grpc) as client:
            stub = client.channel.unary_stream(WATCH)
            request = history_service_pb2.WatchExecutionHistoryRequest(execution_arn=arn(name))
            return [e for message in stub(request.SerializeToString(), timeout=WAIT_S)
                    for e in history_service_pb2.WatchExecutionHistoryResponse.FromString(
                        message).events]

    def failed(self, call):
        with self.assertRaises(CallError) as caught:
            call()
        return caught.exception

    def test_reads_as_any_other(self):
        server = self.start()
        client = self.client(server)
        events = history()
        client.append(arn("plain"), events)
        client.append(arn("secret"), events, encryption_configuration=ENCRYPTED)
        for _ in range(2):
            client = self.client(server)
            self.assertEqual(client.history(arn("secret")), events)
            self.assertEqual(client.history(arn("secret"), reverse_order=True, max_results=7),
                             events[::-1])
            self.assertEqual(self.watched(server, "secret"), events)
            boto3 = aws.boto3_client(server.gateway)
            self.assertEqual(aws.boto3_history(boto3, arn("secret")),
                             aws.boto3_history(boto3, arn("plain")))
            self.assertEqual(boto3.describe_execution(executionArn=arn("secret"))["cause"], MARK)
            described = client.describe(arn("secret"))
            self.assertEqual((described.input, described.error), (PAYLOAD, MARK))
            self.assertEqual(described.encryption_configuration.kms_key_id, KEY)
            self.assertEqual(
                described.encryption_configuration.kms_data_key_reuse_period_seconds, 300)
            self.assertFalse(client.describe(arn("plain")).HasField("encryption_configuration"))
            self.assertEqual(client.append(arn("secret"), events).already_stored_count, len(events))
            server.restart()

    def test_nothing_of_a_payload_is_on_the_disk(self):
        server = self.start("--log-level", "debug", "--log-sample", "1")
        client = self.client(server)
        client.append(arn("secret"), history(), encryption_configuration=ENCRYPTED)
        self.assertEqual(marked_files(server.data_dir), [])
        for _ in range(2):
            self.assertEqual(len(client.history(arn("secret"))), 250)
            server.kill()
            self.assertEqual(marked_files(server.data_dir), [])
            server.start()
            client = self.client(server)
        backup = os.path.join(self.dir, "backups")
        os.mkdir(backup)
        server.args = (*server.args, "--backup-dir", backup)
        server.restart()
        self.client(server).backup("one")
        server.restart()  # what was in the log is in tables by now
        self.assertEqual(marked_files(server.data_dir), [])
        self.assertEqual(marked_files(backup), [])
        self.assertNotIn(MARK, server.log())
        # The search finds what is there.
        client = self.client(server)
        client.append(arn("plain"), history(20))
        self.assertNotEqual(marked_files(server.data_dir), [])

    def test_who_has_no_key_is_told(self):
        server = self.start()
        client = self.client(server)
        client.append(arn("secret"), history(10), encryption_configuration=ENCRYPTED)
        self.put_keys(OTHER_KEY)
        server.restart()
        client = self.client(server)
        error = self.failed(lambda: client.page(arn("secret")))
        self.assertEqual((error.code, error.reason),
                         (grpc.StatusCode.FAILED_PRECONDITION, "KMS_INVALID_STATE"))
        self.assertEqual(error.metadata["kms_key_state"], "UNAVAILABLE")
        boto3 = aws.boto3_client(server.gateway)
        for call in boto3.get_execution_history, boto3.describe_execution:
            with self.assertRaises(boto3.exceptions.ClientError) as caught:
                call(executionArn=arn("secret"))
            response = caught.exception.response
            self.assertEqual(response["Error"]["Code"], "KmsInvalidStateException")
            self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], 400)
        for append in (lambda: client.append(arn("secret"), [passed(11)]),
                       lambda: client.append(arn("new"), [started()],
                                             encryption_configuration=ENCRYPTED)):
            self.assertEqual(self.failed(append).reason, "KMS_INVALID_STATE")
        # What needs no key goes on.
        bare = client.page(arn("secret"), include=False).events
        self.assertEqual([e.id for e in bare], list(range(1, 11)))
        self.assertNotIn(MARK, str(bare))
        self.assertEqual(bare[4].task_failed_event_details.resource, "invoke")
        self.assertEqual(len(client.list_all(state_machine_arn=annalsd.MACHINE_ARN)), 1)
        described = boto3.get_execution_history(executionArn=arn("secret"),
                                                includeExecutionData=False)
        self.assertEqual(len(described["events"]), 10)
        # And with the key, all does.
        self.put_keys(NEW_KEY + OLD_KEY)
        server.restart()
        self.assertEqual(len(self.client(server).history(arn("secret"))), 10)

    def test_a_server_without_keys_says_so(self):
        server = self.start()
        self.client(server).append(arn("secret"), history(10), encryption_configuration=ENCRYPTED)
        self.assertEqual(server.stop(), 0)
        server = self.start(keys=False, data_dir=server.data_dir)
        client = self.client(server)
        self.assertEqual(self.failed(lambda: client.page(arn("secret"))).reason,
                         "KMS_NOT_CONFIGURED")
        self.assertEqual(self.failed(lambda: client.append(
            arn("new"), [started()], encryption_configuration=ENCRYPTED)).reason,
            "KMS_NOT_CONFIGURED")
        self.assertEqual(len(client.page(arn("secret"), include=False).events), 10)

    def test_the_configuration_has_keys_of_state_machines(self):
        config = os.path.join(self.dir, "config")
        with open(config, "w", encoding="utf-8") as f:
            f.write("[encryption]\n%sstateMachine:Plain* = none\n* = %s 60\n" % (
                annalsd.ARN_HEAD, KEY))
        server = self.start("--config", config)
        client = self.client(server)
        client.append(arn("secret"), history(10))
        self.assertEqual(marked_files(server.data_dir), [])
        described = client.describe(arn("secret"))
        self.assertEqual(described.encryption_configuration.kms_data_key_reuse_period_seconds, 60)
        plain = arn("plain").replace(":Machine:", ":Plain1:")
        client.append(plain, history(10))
        self.assertFalse(client.describe(plain).HasField("encryption_configuration"))
        self.assertEqual(server.stop(), 0)
        for text, says in (("* = k 3", "'3' is no reuse period of 60 to 900 seconds"),
                           ("Orders = k", "'Orders' is not the ARN of a state machine")):
            with open(config, "w", encoding="utf-8") as f:
                f.write("[encryption]\n%s\n" % text)
            done = annalsd.run_server("--config", config, "--data-dir", self.dir + "/data")
            self.assertEqual(done.returncode, 1)
            self.assertIn(config + ":2: [encryption] ", done.stderr)
            self.assertIn(says, done.stderr)
        with open(config, "w", encoding="utf-8") as f:
            f.write("[encryption]\n* = k\n")
        done = annalsd.run_server("--config", config, "--data-dir", self.dir + "/data")
        self.assertEqual(done.returncode, 1)
        self.assertIn("[encryption] names keys, and neither --kms-region", done.stderr)

    def test_acknowledged_is_readable_after_kill(self):
        server = self.start()
        acknowledged = {}
        stopping = threading.Event()

        def append(name):
            with annalsd.Client(server.grpc) as client:
                event_id = 0
                try:
                    while not stopping.is_set():
                        event_id += 1
                        made = started(input=PAYLOAD) if event_id == 1 else passed(
                            event_id, payload=PAYLOAD)
                        client.append(arn(name), [made], encryption_configuration=ENCRYPTED)
                        acknowledged[name] = event_id
                except CallError:
                    pass

        names = ["e%d" % i for i in range(8)]
        threads = [threading.Thread(target=append, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        end = time.monotonic() + WAIT_S
        while len(acknowledged) < len(names) or min(acknowledged.values()) < 5:
            self.assertLess(time.monotonic(), end, acknowledged)
            time.sleep(0.01)
        server.kill()
        stopping.set()
        for thread in threads:
            thread.join()
        server.start()
        client = self.client(server)
        for name in names:
            events = client.history(arn(name))
            self.assertGreaterEqual(len(events), acknowledged[name])
            self.assertEqual([e.id for e in events], list(range(1, len(events) + 1)))
            self.assertEqual(events[1].state_entered_event_details.input, PAYLOAD)
        self.assertEqual(marked_files(server.data_dir), [])
        done = subprocess.run([annalsd.CLI, "verify", "--endpoint", server.grpc],
                              env=annalsd.environment(), capture_output=True, text=True,
                              timeout=WAIT_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_rotation_and_shredding(self):
        server = self.start()
        client = self.client(server)
        for name in "a", "b":
            client.append(arn(name), history(10), encryption_configuration=ENCRYPTED)
        client.append(arn("plain"), history(10))
        self.put_keys(NEW_KEY + OLD_KEY)
        server.reload("customer keys reloaded")
        done = annalsd.run_cli("rewrap", "--endpoint", server.grpc, "--state-machine",
                               annalsd.MACHINE_ARN)
        self.assertEqual(done.stdout, "2 data keys of 2 executions rewrapped\n")
        self.put_keys(NEW_KEY)
        server.restart()
        client = self.client(server)
        self.assertEqual(client.history(arn("a")), history(10))
        done = annalsd.run_cli("shred", "--endpoint", server.grpc, arn("a"), check=False)
        self.assertIn("use --yes", done.stderr)
        done = annalsd.run_cli("shred", "--endpoint", server.grpc, "--yes", arn("a"))
        self.assertEqual(done.stdout, "1 data keys of 1 executions shredded\n")
        self.assertEqual(self.failed(lambda: client.page(arn("a"))).reason, "KMS_INVALID_STATE")
        self.assertEqual(len(client.page(arn("a"), include=False).events), 10)
        self.assertEqual(client.history(arn("b")), history(10))
        done = annalsd.run_cli("shred", "--endpoint", server.grpc, "--yes", arn("plain"),
                               check=False)
        self.assertIn("the execution is not encrypted", done.stderr)
        self.assertEqual(done.returncode, 1)
        log = [json.loads(line) for line in server.log().splitlines()]
        self.assertEqual([(e["execution_arn"], e["data_keys"]) for e in log
                          if e["message"] == "data keys destroyed"], [(arn("a"), 1)])
        self.assertEqual(sum(e["message"] == "data keys rewrapped" for e in log), 2)

    def test_is_exported_in_plain_text(self):
        server = self.start()
        client = self.client(server)
        client.append(arn("secret"), history(150), encryption_configuration=ENCRYPTED)
        path = os.path.join(self.dir, "export")
        annalsd.run_cli("export", "--endpoint", server.grpc, "--state-machine",
                        annalsd.MACHINE_ARN, "--output", path)
        with open(path, "rb") as f:
            self.assertIn(MARK.encode(), f.read())

    def test_is_imported_under_a_key(self):
        server = self.start()
        client = self.client(server)
        client.append(arn("plain"), history(150))
        path = os.path.join(self.dir, "export.jsonl")
        annalsd.run_cli("export", "--endpoint", server.grpc, arn("plain"), "--output", path)
        other = self.start()
        for key, encrypted in (KEY, True), ("none", False):
            for _ in "new", "again":
                annalsd.run_cli("import", "--endpoint", other.grpc, path, "--kms-key-id", key,
                                *(("--kms-data-key-reuse-period", "90") if encrypted else ()))
            client = self.client(other)
            self.assertEqual(client.history(arn("plain")), history(150))
            described = annalsd.run_cli("describe", "--endpoint", other.grpc, arn("plain"),
                                        "--output", "table").stdout
            self.assertEqual("encrypted under" in described and KEY in described, encrypted)
            self.assertEqual(marked_files(other.data_dir) == [], encrypted)
            annalsd.run_cli("delete", "--yes", "--endpoint", other.grpc, arn("plain"))
        done = subprocess.run(
            [annalsd.CLI, "import", "--endpoint", other.grpc, path, "--kms-data-key-reuse-period",
             "90"], env=annalsd.environment(), stderr=subprocess.PIPE, check=False, text=True)
        self.assertIn("--kms-data-key-reuse-period goes with a key", done.stderr)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest_xml.main()
