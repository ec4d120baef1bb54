#!/usr/bin/python3
"""Signed requests: of boto3 and the AWS CLI, and of botocore's signers, as others might sign."""

import datetime
import email.utils
import hashlib
import http.client
import json
import os
import signal
import threading
import unittest
from unittest import mock

from tests import unittest_xml
from tests.e2e import annalsd, aws

aws.boto3_client("127.0.0.1:1")  # sets the environment before botocore looks at it
import boto3
import botocore.auth
import botocore.exceptions
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

READER = ("AKIAREADER", "wJalrXUtnFEMI/K7MDENG+bPx")
SESSION = ("ASIASESSION", "7MDENGbPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2Vj//==")
EXPIRED = ("ASIAEXPIRED", "bPxRfiCYEXAMPLEKEY7MDENG", "FwoGZXIvYXdzEXPIRED")
NARROW = ("AKIANARROW", "narrowK7MDENG")
FILE = """\
# Who may call
[reader]
access_key_id = %s
secret_access_key = %s
access_key_id = %s
secret_access_key = %s
session_token = %s
access_key_id = %s
secret_access_key = %s
session_token = %s
expires = 2026-01-01T00:00:00Z
allow = states:* on arn:aws:states:*:123456789012:*

[arn:aws:iam::123456789012:user/narrow]
access_key_id = %s
secret_access_key = %s
allow = states:GetExecutionHistory on arn:aws:states:us-east-1:*:execution:Other:*
""" % (*READER, *SESSION, *EXPIRED, *NARROW) + annalsd.WRITER


class Presigner(botocore.auth.SigV4QueryAuth):
    """Botocore's, with a body: botocore itself would move it into the query."""

    BODY = json.dumps({"executionArn": annalsd.arn("signed")})

    def payload(self, request):
        return hashlib.sha256(self.BODY.encode()).hexdigest()


def write_credentials(path, text, mode=0o600):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def client(gateway, key, region="us-east-1", **config):
    return boto3.client(
        "stepfunctions", endpoint_url="http://" + gateway, region_name=region,
        aws_access_key_id=key[0], aws_secret_access_key=key[1],
        aws_session_token=key[2] if len(key) > 2 else None,
        config=Config(retries={"max_attempts": 0}, proxies={}, **config))


class AuthenticationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = os.path.join(annalsd.new_dir(), "credentials")
        write_credentials(cls.path, FILE)
        cls.server = annalsd.Annalsd("--credentials-file", cls.path)
        cls.addClassCleanup(cls.server.stop)
        cls.arn = annalsd.arn("signed")
        with annalsd.Client(cls.server.grpc, metadata=annalsd.BY_WRITER) as writer:
            writer.append(cls.arn, annalsd.simple_history(3))

    def refused(self, name, message, call):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call()
        answer = caught.exception.response
        self.assertEqual((answer["Error"]["Code"], answer["Error"]["Message"]), (name, message))
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 400)

    def read(self, key, **more):
        return client(self.server.gateway, key, **more).get_execution_history(
            executionArn=self.arn)["events"]

    def test_boto3(self):
        for key in READER, SESSION:
            self.assertEqual([e["id"] for e in self.read(key)], [1, 2, 3])
        self.assertEqual(len(self.read(READER, region="eu-west-1")), 3)

    def test_cli(self):
        keys = {"AWS_ACCESS_KEY_ID": SESSION[0], "AWS_SECRET_ACCESS_KEY": SESSION[1],
                "AWS_SESSION_TOKEN": SESSION[2]}
        with mock.patch.dict(aws.ENVIRONMENT, keys):
            self.assertEqual(len(aws.cli_history(self.server.gateway, self.arn)), 3)
        done = aws.run_cli(self.server.gateway, "--execution-arn", self.arn)
        self.assertIn("(UnrecognizedClientException)", done.stderr)

    def test_wrong_secret(self):
        self.refused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method. Consult the service documentation for "
            "details.", lambda: self.read((READER[0], READER[1].lower())))

    def test_wrong_key_or_token(self):
        for key in ("AKIANOBODY", "x"), (*READER, "x"), SESSION[:2], (*SESSION[:2], "x"):
            self.refused("UnrecognizedClientException",
                         "The security token included in the request is invalid.",
                         lambda: self.read(key))

    def test_expired_token(self):
        self.refused("ExpiredTokenException",
                     "The security token included in the request is expired",
                     lambda: self.read(EXPIRED))

    def test_unsigned(self):
        self.refused("MissingAuthenticationTokenException",
                     "Request is missing Authentication Token",
                     lambda: self.read(READER, signature_version=botocore.UNSIGNED))

    def test_unknown_operation_comes_before_who_asks(self):
        for target in None, "AWSStepFunctions.Nothing":
            host, _, port = self.server.gateway.rpartition(":")
            connection = http.client.HTTPConnection(host, int(port), timeout=annalsd.WAIT_S)
            connection.request("POST", "/", b"{}", {
                "Content-Type": "application/x-amz-json-1.0",
                **({"X-Amz-Target": target} if target else {})})
            answer = connection.getresponse()
            self.assertEqual(answer.status, 400)
            self.assertEqual(json.load(answer)["__type"],
                             "com.amazon.coral.service#UnknownOperationException")
            connection.close()

    def test_not_allowed(self):
        for arn in self.arn, annalsd.arn("nobody"):
            self.refused(
                "AccessDeniedException",
                "User: arn:aws:iam::123456789012:user/narrow is not authorized to perform: "
                "states:GetExecutionHistory on resource: " + arn,
                lambda: client(self.server.gateway, NARROW).get_execution_history(executionArn=arn))

    def test_descriptions_and_listings(self):
        reader = client(self.server.gateway, READER)
        self.assertEqual(reader.describe_execution(executionArn=self.arn)["status"], "RUNNING")
        self.assertEqual([e["executionArn"] for e in reader.list_executions(
            stateMachineArn=annalsd.MACHINE_ARN)["executions"]], [self.arn])
        narrow = client(self.server.gateway, NARROW)
        for action, resource, call in (
                ("DescribeExecution", self.arn,
                 lambda: narrow.describe_execution(executionArn=self.arn)),
                ("ListExecutions", annalsd.MACHINE_ARN,
                 lambda: narrow.list_executions(stateMachineArn=annalsd.MACHINE_ARN))):
            self.refused("AccessDeniedException",
                         "User: arn:aws:iam::123456789012:user/narrow is not authorized to perform: "
                         "states:%s on resource: %s" % (action, resource), call)

    def test_log_names_the_principal_and_no_secrets(self):
        with self.assertRaises(botocore.exceptions.ClientError):
            self.read(NARROW)
        log = self.server.log()
        self.assertIn('"principal":"arn:aws:iam::123456789012:user/narrow"', log)
        for key in READER, SESSION, EXPIRED, NARROW:
            self.assertNotIn(key[1], log)

    # --- requests that others sign ---

    def request(self, url="/", headers=None, body=None):
        headers = {"Content-Type": "application/x-amz-json-1.0",
                   "X-Amz-Target": "AWSStepFunctions.GetExecutionHistory", **(headers or {})}
        body = json.dumps({"executionArn": self.arn}) if body is None else body
        return AWSRequest("POST", "http://" + self.server.gateway + url, headers, body)

    def send(self, request):
        """The status and the answer to a request as it was signed; and the Date header."""
        prepared = request.prepare()
        host, _, port = self.server.gateway.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=annalsd.WAIT_S)
        try:
            target = prepared.url[len("http://" + self.server.gateway):]
            headers = {k: v.decode() if isinstance(v, bytes) else v
                       for k, v in prepared.headers.items()}
            connection.request("POST", target, prepared.body, headers)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            return answer.status, body.get("__type", "").partition("#")[2], body, answer.headers
        finally:
            connection.close()

    def test_headers_of_all_kinds(self):
        request = self.request(headers={"X-Odd": '  a   "b  c"  ', "Accept": "*/*", "x-amz-a": ""})
        botocore.auth.SigV4Auth(Credentials(*SESSION), "states", "eu-north-1").add_auth(request)
        self.assertEqual(self.send(request)[0], 200)

    def test_presigned(self):
        for url in "/", "/?b=2&a=%20%2F+~&b=1&c":
            request = self.request(url, body="")
            Presigner(Credentials(*SESSION), "states", "eu-north-1", expires=60).add_auth(request)
            request.data = Presigner.BODY
            self.assertIn("X-Amz-Signature=", request.url)
            self.assertEqual(self.send(request)[:2], (200, ""), url)
            request.url = request.url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")
            self.assertEqual(self.send(request)[1], "InvalidSignatureException")

    def test_unsigned_payload(self):
        request = self.request(headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
        botocore.auth.SigV4Auth(Credentials(*READER), "states", "us-east-1").add_auth(request)
        self.assertEqual(self.send(request)[0], 200)
        request.data = json.dumps({"executionArn": annalsd.arn("nobody")})
        self.assertEqual(self.send(request)[1], "ExecutionDoesNotExist")

    def test_replay_of_the_same_request(self):
        request = self.request()
        botocore.auth.SigV4Auth(Credentials(*READER), "states", "us-east-1").add_auth(request)
        self.assertEqual([self.send(request)[0] for _ in range(2)], [200, 200])

    def signed_at(self, now):
        """A request of a client whose clock says now."""
        request = self.request()
        with mock.patch("botocore.auth.datetime") as patched:
            patched.datetime.utcnow.return_value = now
            botocore.auth.SigV4Auth(Credentials(*READER), "states", "us-east-1").add_auth(request)
        return request

    def test_skewed_clocks_are_corrected_by_the_date_header(self):
        for minutes, says in (-6, r"Signature expired: (\w+) is now earlier than \w+ "
                                  r"\(\w+ - 5 min\.\)"), \
                             (6, r"Signature not yet current: (\w+) is still later than \w+ "
                                 r"\(\w+ \+ 5 min\.\)"):
            skew = datetime.timedelta(minutes=minutes)
            local = datetime.datetime.utcnow() + skew
            status, name, body, headers = self.send(self.signed_at(local))
            self.assertEqual((status, name), (400, "InvalidSignatureException"))
            self.assertRegex(body["message"], "^%s$" % says)
            server = email.utils.parsedate_to_datetime(headers["Date"]).replace(tzinfo=None)
            offset = server - local
            corrected = datetime.datetime.utcnow() + skew + offset
            self.assertEqual(self.send(self.signed_at(corrected))[0], 200)
        for minutes in -4, 4:
            near = datetime.datetime.utcnow() + datetime.timedelta(minutes=minutes)
            self.assertEqual(self.send(self.signed_at(near))[0], 200)


class ReloadTest(unittest.TestCase):
    def setUp(self):
        self.path = os.path.join(annalsd.new_dir(), "credentials")
        self.arn = annalsd.arn("reload")

    def write(self, secret, mode=0o600):
        write_credentials(self.path, "[reader]\naccess_key_id = A\nsecret_access_key = %s\n"
                          "allow = states:* on *\n" % secret + annalsd.WRITER, mode)

    def works(self, server, secret):
        try:
            client(server.gateway, ("A", secret)).get_execution_history(executionArn=self.arn)
        except botocore.exceptions.ClientError as error:
            self.assertEqual(error.response["Error"]["Code"], "InvalidSignatureException")
            return False
        return True

    def test_sighup(self):
        self.write("first")
        with annalsd.Annalsd("--credentials-file", self.path) as server:
            with annalsd.Client(server.grpc, metadata=annalsd.BY_WRITER) as writer:
                writer.append(self.arn, annalsd.simple_history(3))
            self.assertTrue(self.works(server, "first"))
            self.write("second")
            server.reload("credentials reloaded")
            self.assertEqual([self.works(server, s) for s in ("first", "second")], [False, True])
            self.write("third with blanks")
            server.reload("credentials stay as they were")
            self.write("third", 0o644)
            server.reload("credentials stay as they were")
            self.assertEqual([self.works(server, s) for s in ("second", "third")], [True, False])
            self.assertIn("%s:3: [reader] secret_access_key: " % self.path, server.log())

    def test_requests_under_way_are_not_dropped(self):
        self.write("same")
        with annalsd.Annalsd("--credentials-file", self.path) as server:
            with annalsd.Client(server.grpc, metadata=annalsd.BY_WRITER) as writer:
                writer.append(self.arn, annalsd.simple_history(100))
            reader = client(server.gateway, ("A", "same"))
            stop = threading.Event()
            failures = []

            def read():
                while not stop.is_set():
                    try:
                        reader.get_execution_history(executionArn=self.arn)
                    except Exception as error:  # whatever it is, it is one too many
                        failures.append(error)

            readers = [threading.Thread(target=read) for _ in range(4)]
            for each in readers:
                each.start()
            for _ in range(10):
                server.reload("credentials reloaded")
            stop.set()
            for each in readers:
                each.join()
            self.assertEqual(failures, [])

    def test_sighup_without_credentials(self):
        with annalsd.Annalsd() as server:
            server.process.send_signal(signal.SIGHUP)
            with annalsd.Client(server.grpc) as writer:
                writer.append(self.arn, annalsd.simple_history(1))

    def test_what_does_not_start(self):
        free = [a for listener in ("grpc", "gateway", "ops")
                for a in ("--%s-listen" % listener, "127.0.0.1:0")]
        self.write("s", 0o644)
        data = os.path.join(annalsd.new_dir(), "data")
        for path, says in (self.path, self.path + ": others can read or change it: its mode must "
                                                  "be 600, 640 or less"), \
                          (self.path + ".no", self.path + ".no: No such file or directory"):
            done = annalsd.run_server("--data-dir", data, "--credentials-file", path, *free)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertEqual(json.loads(done.stderr)["error"], says)
            self.assertFalse(os.path.exists(data))

    def test_where_it_may_listen(self):
        self.write("s")
        anywhere = ("--gateway-listen", "0.0.0.0:0")
        with annalsd.Annalsd("--credentials-file", self.path, *anywhere):
            pass
        done = annalsd.run_server(
            "--data-dir", os.path.join(annalsd.new_dir(), "data"), "--credentials-file", self.path,
            "--grpc-listen", "0.0.0.0:0", "--gateway-listen", "127.0.0.1:0", "--ops-listen",
            "127.0.0.1:0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--grpc-listen 0.0.0.0:0: others can reach this address", done.stderr)

    def test_region(self):
        self.write("s")
        with annalsd.Annalsd("--credentials-file", self.path, "--region", "eu-west-1") as server:
            with annalsd.Client(server.grpc, metadata=annalsd.BY_WRITER) as writer:
                writer.append(self.arn, annalsd.simple_history(1))
            call = {"executionArn": self.arn}
            client(server.gateway, ("A", "s"), "eu-west-1").get_execution_history(**call)
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                client(server.gateway, ("A", "s"), "us-east-1").get_execution_history(**call)
            self.assertEqual(
                caught.exception.response["Error"]["Message"],
                "Credential should be scoped to a valid region: 'eu-west-1', not 'us-east-1'.")


if __name__ == "__main__":
    unittest_xml.main()
