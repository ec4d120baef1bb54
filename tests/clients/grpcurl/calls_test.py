#!/usr/bin/env python3
"""grpcurl lists, describes and calls without a .proto at hand; in plain text, and over TLS.

It is `grpcurl` in the working directory.
"""

import json
import os
import subprocess
import unittest

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import SERVICE, WAIT_S
from tests.security.certificates import Ca, Files, put

SERVICES = ["annals.v1.AdminService", "annals.v1.HistoryService", "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
TOKEN = "0Uq2mXv7bearerOfThis"
CREDENTIALS = "[operator]\ntoken = %s\nallow = states:* annals:* on *\n" % TOKEN
STATUS = 64  # what grpcurl adds to a call's code for its exit status
NOT_FOUND = 5
FAILED = 1
DETAILS = "type.googleapis.com/google.rpc."
NO_TOKEN = ("Failed to list services: rpc error: code = Unauthenticated desc = the call says not "
            "who makes it: a bearer token or a client certificate is needed\n")
EVENTS = [
    {"id": "1", "type": "HISTORY_EVENT_TYPE_EXECUTION_STARTED",
     "timestamp": "2026-01-02T03:04:05.678Z", "executionStartedEventDetails": {"input": "{}"}},
    {"id": "2", "previousEventId": "1", "type": "HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED",
     "timestamp": "2026-01-02T03:04:06Z", "executionSucceededEventDetails": {"output": "[]"}},
]


def described_service():
    """The service as grpcurl describes it."""
    lines = []
    for method in sorted(SERVICE.methods, key=lambda method: method.name):
        lines.append("  rpc %s ( %s.%s ) returns ( %s.%s );\n" % (
            method.name, "stream " * method.client_streaming, method.input_type.full_name,
            "stream " * method.server_streaming, method.output_type.full_name))
    return "%s is a service:\nservice %s {\n%s}\n" % (SERVICE.full_name, SERVICE.name,
                                                      "".join(lines))


def secured():
    """Options of a server with TLS that asks who calls, and the file of its CA."""
    ca = Ca()
    files = Files(ca.server(), ca)
    credentials = os.path.join(files.folder, "credentials")
    put(credentials, CREDENTIALS.encode())
    os.chmod(credentials, 0o600)
    return (*files.options[:4], "--credentials-file", credentials), files.client_ca


class PlainTextTest(unittest.TestCase):
    maxDiff = None
    server_options = ()
    flags = ("-plaintext",)

    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd(*cls.server_options)
        cls.addClassCleanup(cls.server.stop)

    def grpcurl(self, *command, flags=None, options=(), status=0):
        """Runs it on the server. Returns what it says; on standard error, if it is to fail."""
        done = subprocess.run(
            ["./grpcurl", *(self.flags if flags is None else flags), *options, self.server.grpc,
             *command], env=annalsd.environment(TOKEN=TOKEN), timeout=WAIT_S,
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr if status else done.stdout

    def call(self, method, request, options=(), status=0):
        """Calls with JSON. Returns the answer, or the status of a call that is to fail."""
        return json.loads(self.grpcurl(
            "%s/%s" % (SERVICE.full_name, method), status=status,
            options=("-format-error", "-d", json.dumps(request), *options)))

    def test_list(self):
        self.assertEqual(self.grpcurl("list").splitlines(), SERVICES)
        self.assertEqual(self.grpcurl("list", SERVICE.full_name).splitlines(),
                         sorted(method.full_name for method in SERVICE.methods))

    def test_describe(self):
        self.assertEqual(self.grpcurl("describe", SERVICE.full_name), described_service())
        self.assertEqual(self.grpcurl("describe", "annals.v1.DeleteExecutionRequest"),
                         "annals.v1.DeleteExecutionRequest is a message:\n"
                         "message DeleteExecutionRequest {\n  string execution_arn = 1;\n}\n")

    def test_append_and_read(self):
        arn = annalsd.arn("called")
        append = {"execution_arn": arn, "events": EVENTS}
        self.assertEqual(self.call("AppendHistoryEvents", append),
                         {"lastEventId": "2", "appendedCount": 2})
        self.assertEqual(self.call("AppendHistoryEvents", append),
                         {"lastEventId": "2", "alreadyStoredCount": 2})
        self.assertEqual(self.call("GetExecutionHistory", {"execution_arn": arn}),
                         {"events": EVENTS})
        self.assertEqual(self.call("GetExecutionHistory", {"executionArn": arn, "maxResults": 1,
                                                           "reverseOrder": True})["events"],
                         EVENTS[1:])

    def test_error(self):
        arn = annalsd.arn("missing")
        status = self.call("GetExecutionHistory", {"execution_arn": arn}, status=STATUS + NOT_FOUND,
                           options=("-rpc-header", "x-request-id: of-grpcurl"))
        self.assertEqual(status, {
            "code": NOT_FOUND, "message": "no execution has the ARN " + arn,
            "details": [
                {"@type": DETAILS + "ErrorInfo", "reason": "EXECUTION_DOES_NOT_EXIST",
                 "domain": "annals.v1", "metadata": {"execution_arn": arn}},
                {"@type": DETAILS + "RequestInfo", "requestId": "of-grpcurl"}]})


class TlsTest(PlainTextTest):
    """The same by a caller with a token, who keeps it out of the list of processes."""

    @classmethod
    def setUpClass(cls):
        cls.server_options, ca_file = secured()
        cls.trusting = ("-cacert", ca_file)
        cls.flags = (*cls.trusting, "-expand-headers", "-H", "authorization: Bearer ${TOKEN}")
        super().setUpClass()

    def test_without_token(self):
        self.assertEqual(self.grpcurl("list", flags=self.trusting, status=FAILED), NO_TOKEN)

    def test_without_ca(self):
        said = self.grpcurl("list", flags=(), status=FAILED)
        self.assertIn("certificate signed by unknown authority", said)


if __name__ == "__main__":
    unittest_xml.main()
