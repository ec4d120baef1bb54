#!/usr/bin/python3
"""Who makes a gRPC call: bearer tokens, client certificates, and what they may do."""

import json
import os
import unittest

import grpc

from google.rpc import error_details_pb2
from tests import unittest_xml
from tests.e2e import annalsd, aws
from tests.e2e.annalsd import CallError, history_service_pb2, length_delimited, simple_history, started
from tests.e2e.server_test_case import ServerTest
from tests.security.certificates import Ca, Files, put
from tests.security.tls_test import CA, FREE, channel_credentials, https_context, reload

aws.boto3_client("127.0.0.1:1")  # sets the environment before botocore looks at it
import boto3
from botocore.config import Config

ENGINE, EXPIRED, NARROW = "engine-0Uq2mXv7-one", "expired-0Uq2mXv7-two", "narrow-0Uq2mXv7-three"
SECRET = "wJalrXUtnFEMI/K7MDENG"
CREDENTIALS = """\
[engine]
token = %s
token = %s
expires = 2026-01-01T00:00:00Z
access_key_id = AKIAENGINE
secret_access_key = %s
certificate = URI:spiffe://example.org/Engine
certificate = DNS:Engine.example.org
allow = * on *

[arn:aws:iam::123456789012:user/narrow]
token = %s
certificate = CN:The Narrow One
certificate = DNS:narrow.example.org
allow = states:GetExecutionHistory on arn:aws:states:*:*:execution:Other:*
""" % (ENGINE, EXPIRED, SECRET, NARROW)
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:Machine"
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def by(token):
    return (("authorization", "Bearer " + token),)


def write_credentials(path, text):
    with open(os.open(path + ".new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".new", path)


def credentials_file(text=CREDENTIALS):
    path = os.path.join(annalsd.new_dir(), "credentials")
    write_credentials(path, text)
    return path


def methods(arn):
    """Each method with a request, the action that it needs, and on what."""
    message = history_service_pb2
    event = length_delimited(2, started().SerializeToString())
    named = length_delimited(1, arn)
    return (
        ("AppendHistoryEvents", named + event, "annals:AppendHistoryEvents", arn),
        ("GetExecutionHistory", named, "states:GetExecutionHistory", arn),
        ("DescribeExecution", named, "states:DescribeExecution", arn),
        ("ListExecutions", message.ListExecutionsRequest(
            state_machine_arn=MACHINE).SerializeToString(), "states:ListExecutions", MACHINE),
        ("DeleteExecution", named, "annals:DeleteExecution", arn),
        ("WatchExecutionHistory", named, "annals:WatchExecutionHistory", arn),
        ("AppendHistoryEventsStream", length_delimited(1, named + event),
         "annals:AppendHistoryEvents", arn),
    )


class CallerCase(ServerTest):
    transport = ()
    channel_credentials = None

    @classmethod
    def setUpClass(cls):
        cls.path = credentials_file()
        cls.options = ("--credentials-file", cls.path, *cls.transport)
        super().setUpClass()

    def as_caller(self, metadata=(), certificate=None):
        credentials = channel_credentials(CA, certificate) if self.transport else None
        client = annalsd.Client(self.server.grpc, credentials, metadata)
        self.addCleanup(client.close)
        return client

    def unauthenticated(self, client, credential, text):
        error = self.refused(lambda: client.page(self.arn), UNAUTHENTICATED, "UNAUTHENTICATED",
                             {"credential": credential})
        self.assertEqual(error.message, text)

    def denied(self, call, principal, action, resource):
        error = self.refused(call, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED",
                             {"principal": principal, "action": action, "resource": resource})
        self.assertEqual(error.message, "User: %s is not authorized to perform: %s on resource: %s"
                         % (principal, action, resource))


class TokenTest(CallerCase):
    def test_right(self):
        for metadata in by(ENGINE), (("authorization", "bearer " + ENGINE),), \
                (("authorization", "BEARER " + ENGINE),):
            client = self.as_caller(metadata)
            client.append(self.arn, simple_history(3))
            self.assertEqual(len(client.history(self.arn)), 3)

    def test_none(self):
        self.unauthenticated(self.as_caller(), "none", "the call says not who makes it: a bearer "
                             "token or a client certificate is needed")

    def test_unknown(self):
        for token in ENGINE[:-1], ENGINE + "x", ENGINE.upper(), " " + ENGINE, "x" * 4096, "x" * 4097:
            self.unauthenticated(self.as_caller(by(token)), "token", "the bearer token is not known")

    def test_expired(self):
        self.unauthenticated(self.as_caller(by(EXPIRED)), "token", "the bearer token has expired")

    def test_other_schemes(self):
        for value in "", "Bearer", "Bearer ", ENGINE, "Basic " + ENGINE, "AWS4-HMAC-SHA256 x=y":
            self.unauthenticated(self.as_caller((("authorization", value),)), "token",
                                 "the authorization is not 'Bearer TOKEN'")

    def test_two(self):
        self.unauthenticated(self.as_caller(by(ENGINE) + by(ENGINE)), "token",
                             "the call has more than one authorization")

    def test_all_methods_ask(self):
        client = self.as_caller()
        for method, request, _, _ in methods(self.arn):
            with self.subTest(method):
                self.refused(lambda: self.call(client, method, request), UNAUTHENTICATED,
                             "UNAUTHENTICATED", {"credential": "none"})

    def test_all_methods_look_for_rules(self):
        """Whether something exists or not: that comes later."""
        self.as_caller(by(ENGINE)).append(self.arn, [started()])
        client = self.as_caller(by(NARROW))
        for arn in self.arn, annalsd.arn("nobody"):
            for method, request, action, resource in methods(arn)[:-1]:
                with self.subTest(method):
                    self.denied(lambda: self.call(client, method, request),
                                "arn:aws:iam::123456789012:user/narrow", action, resource)
        other = annalsd.arn("x").replace(":Machine:", ":Other:")
        self.refused(lambda: client.page(other), grpc.StatusCode.NOT_FOUND,
                     "EXECUTION_DOES_NOT_EXIST", {"execution_arn": other})

    def test_no_method_is_forgotten(self):
        self.assertEqual({m.name for m in annalsd.SERVICE.methods},
                         {method for method, *_ in methods(self.arn)})

    @staticmethod
    def call(client, method, request):
        """The first answer, whatever kind of method it is; a failure in it fails."""
        path = "/annals.v1.HistoryService/" + method
        more = {"timeout": annalsd.WAIT_S, "metadata": client.metadata}
        try:
            if method == "WatchExecutionHistory":
                return next(client.channel.unary_stream(path)(request, **more))
            if method == "AppendHistoryEventsStream":
                return next(client.channel.stream_stream(path)(iter([request]), **more))
        except grpc.RpcError as error:
            raise CallError(error) from None
        return client.call(method, request)

    def test_appends_of_a_stream(self):
        """Each is looked at on its own: rules are about executions."""
        _, request, action, resource = methods(self.arn)[-1]
        answer = history_service_pb2.AppendHistoryEventsStreamResponse.FromString(
            self.call(self.as_caller(by(NARROW)), "AppendHistoryEventsStream", request))
        info = error_details_pb2.ErrorInfo()
        self.assertEqual(answer.error.code, grpc.StatusCode.PERMISSION_DENIED.value[0])
        self.assertTrue(answer.error.details[0].Unpack(info))
        self.assertEqual((info.reason, dict(info.metadata)), ("PERMISSION_DENIED", {
            "principal": "arn:aws:iam::123456789012:user/narrow", "action": action,
            "resource": resource}))
        answer = history_service_pb2.AppendHistoryEventsStreamResponse.FromString(
            self.call(self.as_caller(by(ENGINE)), "AppendHistoryEventsStream", request))
        self.assertEqual(answer.appended.appended_count, 1)

    def test_health_asks_nobody_and_reflection_does(self):
        channel = self.as_caller().channel
        self.assertEqual(channel.unary_unary("/grpc.health.v1.Health/Check")(b""), b"\x08\x01")
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        self.assertEqual(next(watch), b"\x08\x01")
        watch.cancel()
        for version in "v1", "v1alpha":
            path = "/grpc.reflection.%s.ServerReflection/ServerReflectionInfo" % version
            ask = channel.stream_stream(path)
            question = [length_delimited(7, "")]
            with self.assertRaises(grpc.RpcError) as caught:
                next(ask(iter(question)))
            self.assertEqual(CallError(caught.exception).reason, "UNAUTHENTICATED")
            self.assertIn(b"annals.v1.HistoryService",
                          next(ask(iter(question), metadata=by(ENGINE))))

    def test_log_names_the_principal_and_no_tokens(self):
        with self.assertRaises(CallError):
            self.as_caller(by(NARROW)).page(self.arn)
        for token in "unknown-0Uq2mXv7", EXPIRED:
            with self.assertRaises(CallError):
                self.as_caller(by(token)).page(self.arn)
        log = self.server.log()
        found = {(line.get("principal"), line.get("reason"))
                 for line in map(json.loads, log.splitlines())}
        self.assertLessEqual({("arn:aws:iam::123456789012:user/narrow", "PERMISSION_DENIED"),
                              (None, "UNAUTHENTICATED")}, found)
        for secret in ENGINE, EXPIRED, NARROW, SECRET, "unknown-0Uq2mXv7":
            self.assertNotIn(secret, log)


class ReloadTest(CallerCase):
    def test_tokens_and_rules_change(self):
        writer, reader = self.as_caller(by(ENGINE)), self.as_caller(by(NARROW))
        writer.append(self.arn, [started()])
        watch = writer.channel.unary_stream("/annals.v1.HistoryService/WatchExecutionHistory")(
            length_delimited(1, self.arn), metadata=by(ENGINE))
        next(watch)
        new = "newengine-0Uq2mXv7"
        write_credentials(self.path, CREDENTIALS.replace(ENGINE, new).replace(":Other:", ":Machine:"))
        reload(self.server, "credentials reloaded")
        self.unauthenticated(writer, "token", "the bearer token is not known")
        self.as_caller(by(new)).append(self.arn, simple_history(2))
        with self.assertRaises(grpc.RpcError) as caught:
            next(watch)  # not even what has begun goes on
        self.assertEqual(CallError(caught.exception).reason, "UNAUTHENTICATED")
        self.assertEqual(len(reader.history(self.arn)), 2)
        write_credentials(self.path, "[engine]\ntoken = short\n")
        reload(self.server, "credentials stay as they were")
        self.assertEqual(len(reader.history(self.arn)), 2)


class CertificateTest(CallerCase):
    @classmethod
    def setUpClass(cls):
        cls.transport = tuple(Files(CA.server(), CA).options)
        super().setUpClass()

    def test_names(self):
        for names in ({"uris": ["spiffe://example.org/Engine"]}, {"dns": ["engine.EXAMPLE.org"]},
                      {"dns": ["other.example.org", "engine.example.org"]},
                      {"uris": ["spiffe://example.org/Engine"], "dns": ["engine.example.org"]}):
            with self.subTest(names):
                self.as_caller((), CA.issue("nobody", **names)).append(self.arn, [started()])

    def test_common_name(self):
        narrow = "arn:aws:iam::123456789012:user/narrow"
        action = "states:GetExecutionHistory"
        client = self.as_caller((), CA.issue("The Narrow One"))
        self.denied(lambda: client.page(self.arn), narrow, action, self.arn)
        # Not where there are names that are meant to be names.
        client = self.as_caller((), CA.issue("The Narrow One", dns=["other.example.org"]))
        self.unauthenticated(client, "certificate", "the client certificate's names are not known")

    def test_unknown(self):
        for common_name, names in (("nobody", {}), ("engine.example.org", {}),
                                   ("x", {"uris": ["spiffe://example.org/engine"]}),
                                   ("x", {"dns": ["*.example.org"]}),
                                   ("x", {"ips": ["127.0.0.1"]})):
            with self.subTest(names):
                self.unauthenticated(self.as_caller((), CA.issue(common_name, **names)),
                                     "certificate", "the client certificate's names are not known")

    def test_names_of_two_principals(self):
        certificate = CA.issue("x", dns=["engine.example.org", "narrow.example.org"])
        self.unauthenticated(self.as_caller((), certificate), "certificate",
                             "the client certificate names more than one principal")

    def test_a_token_decides(self):
        engine = CA.issue("x", dns=["engine.example.org"])
        narrow = "arn:aws:iam::123456789012:user/narrow"
        self.denied(lambda: self.as_caller(by(NARROW), engine).page(self.arn), narrow,
                    "states:GetExecutionHistory", self.arn)
        self.unauthenticated(self.as_caller(by("x" * 20), engine), "token",
                             "the bearer token is not known")


class CertificateReloadTest(CallerCase):
    @classmethod
    def setUpClass(cls):
        cls.transport = tuple(Files(CA.server(), CA).options)
        super().setUpClass()

    def test_streams_end_when_their_certificate_names_nobody(self):
        client = self.as_caller((), CA.issue("x", uris=["spiffe://example.org/Engine"]))
        client.append(self.arn, [started()])
        watch = client.channel.unary_stream("/annals.v1.HistoryService/WatchExecutionHistory")(
            length_delimited(1, self.arn))
        next(watch)
        write_credentials(self.path, CREDENTIALS.replace("URI:spiffe://example.org/Engine",
                                                         "URI:spiffe://example.org/Other"))
        reload(self.server, "credentials reloaded")
        self.as_caller(by(ENGINE), CA.issue("y")).append(self.arn, simple_history(2))
        with self.assertRaises(grpc.RpcError) as caught:
            next(watch)
        error = CallError(caught.exception)
        self.assertEqual((error.code, error.reason, error.metadata),
                         (UNAUTHENTICATED, "UNAUTHENTICATED", {"credential": "certificate"}))


class ClientsTest(unittest.TestCase):
    """The C client and AWS's, over TLS."""

    @classmethod
    def setUpClass(cls):
        cls.files = Files(CA.server(), CA)
        options = [o for o in cls.files.options if o not in ("--tls-client-ca", cls.files.client_ca)]
        credentials = credentials_file()
        cls.server = annalsd.Annalsd("--credentials-file", credentials, *options)
        cls.addClassCleanup(cls.server.stop)
        cls.asking = annalsd.Annalsd("--credentials-file", credentials, *cls.files.options)
        cls.addClassCleanup(cls.asking.stop)
        cls.arn = annalsd.arn("clients")
        for server, certificate in (cls.server, None), (cls.asking, CA.issue("x", dns=["engine.example.org"])):
            with annalsd.Client(server.grpc, channel_credentials(CA, certificate), by(ENGINE)) as client:
                client.append(cls.arn, simple_history(3))

    def put(self, name, data):
        path = os.path.join(self.files.folder, name)
        put(path, data)
        return path

    def history(self, server, *args, **env):
        return annalsd.run_cli("history", "--endpoint", server.grpc, *args, self.arn, check=False,
                               env=env)

    def works(self, done):
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.count('"id":'), 3)

    def fails(self, done, status, says):
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertIn("annals: history: " + says, done.stderr)
        self.assertNotIn("0Uq2mXv7", done.stderr)

    def test_tokens(self):
        ca = ("--ca-file", self.files.client_ca)
        token = self.put("token", ENGINE.encode() + b"\n")
        self.works(self.history(self.server, *ca, "--token-file", token))
        self.works(self.history(self.server, *ca, ANNALS_TOKEN=ENGINE))
        self.works(self.history(self.server, ANNALS_CA_FILE=self.files.client_ca,
                                ANNALS_TOKEN_FILE=token))
        self.fails(self.history(self.server, *ca), 1, "UNAUTHENTICATED: the call says not who")
        self.fails(self.history(self.server, *ca, ANNALS_TOKEN=EXPIRED), 1,
                   "UNAUTHENTICATED: the bearer token has expired")
        self.fails(self.history(self.server, *ca, ANNALS_TOKEN=NARROW), 1, "PERMISSION_DENIED: User: ")
        # The command line counts for more than the environment.
        self.works(self.history(self.server, *ca, "--token-file", token, ANNALS_TOKEN=EXPIRED))

    def test_certificates(self):
        ca = ("--ca-file", self.files.client_ca)
        engine = CA.issue("x", uris=["spiffe://example.org/Engine"])
        pair = ("--cert-file", self.put("engine.crt", engine.pem),
                "--key-file", self.put("engine.key", engine.key))
        self.works(self.history(self.asking, *ca, *pair))
        self.fails(self.history(self.asking, *ca, ANNALS_TOKEN=ENGINE), 1, "UNAVAILABLE: ")

    def test_server_that_is_another(self):
        other = self.put("other.crt", Ca("Other").pem)
        for args, says in ((("--ca-file", other), "certificate verify failed"),
                           (("--tls",), "certificate verify failed"),
                           (("--ca-file", self.files.client_ca, "--server-name", "no.such"),
                            "no.such is not in peer certificate")):
            done = self.history(self.server, *args, ANNALS_TOKEN=ENGINE)
            self.fails(done, 1, "UNAVAILABLE: ")
            self.assertIn(says, done.stderr)
        self.works(self.history(self.server, "--ca-file", self.files.client_ca, "--server-name",
                                "annals.test", ANNALS_TOKEN=ENGINE))

    def test_options_that_are_wrong(self):
        ca, cert, key = self.files.client_ca, self.files.cert, self.files.key
        empty = self.put("empty", b"")
        other_key = self.put("other.key", CA.server().key)
        for args, env, says in (
                (("--ca-file", empty), {}, empty + ": not a certificate in PEM form"),
                (("--ca-file", key), {}, key + ": not a certificate in PEM form"),
                (("--ca-file", ca + ".no"), {}, "Failed to open file “%s.no”" % ca),
                (("--cert-file", cert), {}, "a client certificate and its key must be given"),
                (("--cert-file", cert, "--key-file", cert), {}, cert + ": not a private key"),
                (("--cert-file", cert, "--key-file", other_key), {},
                 other_key + ": not the certificate's key"),
                (("--token-file", empty), {}, empty + ": a token is printable ASCII"),
                ((), {"ANNALS_TOKEN": "two words"}, "token: a token is printable ASCII"),
                ((), {"ANNALS_TOKEN": ENGINE, "ANNALS_TOKEN_FILE": empty}, "a token and a file")):
            with self.subTest(args=args, env=env):
                self.fails(self.history(self.server, *args, **env), 2, says)

    def test_tokens_stay_on_this_machine_without_tls(self):
        """Refused before there is a connection: 192.0.2.1 is nobody's."""
        for endpoint in "192.0.2.1:50051", "127.example.org:50051", "[2001:db8::1]:50051":
            done = annalsd.run_cli("history", "--endpoint", endpoint, self.arn, check=False,
                                   env={"ANNALS_TOKEN": ENGINE})
            self.fails(done, 2, "a token is sent to '%s' only over TLS" % endpoint)

    def test_aws_clients(self):
        self.assertEqual(len(aws.boto3_history(boto3.client(
            "stepfunctions", endpoint_url="https://" + self.asking.gateway, region_name="us-east-1",
            aws_access_key_id="AKIAENGINE", aws_secret_access_key=SECRET,
            verify=self.files.client_ca, config=Config(retries={"max_attempts": 0}, proxies={})),
            self.arn)), 3)
        with annalsd.Gateway(self.server.gateway, https_context()) as gateway:
            status, name, _ = gateway.error({"executionArn": self.arn})
            self.assertEqual((status, name.rpartition("#")[2]),
                             (400, "MissingAuthenticationTokenException"))


class StartTest(unittest.TestCase):
    def test_tokens_in_the_clear(self):
        anywhere = list(FREE)
        anywhere[anywhere.index("--grpc-listen") + 1] = "0.0.0.0:0"
        options = [*anywhere, "--credentials-file", credentials_file()]
        for more in (), ("--allow-anonymous",):
            done = annalsd.run_server("--data-dir", annalsd.new_dir() + "/d", *options, *more)
            self.assertEqual(done.returncode, 1)
            self.assertIn("--grpc-listen 0.0.0.0:0: others can reach this address, and bearer tokens "
                          "would travel in the clear", done.stderr)
        for more in ("--allow-plaintext",), Files(CA.server()).options:
            with annalsd.Annalsd(*options, *more) as server:
                self.assertEqual(server.process.poll(), None)


if __name__ == "__main__":
    unittest_xml.main()
