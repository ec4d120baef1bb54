"""A stand-in for AWS that answers from the files of histories: what clients should get.

It knows the requests of the checks, and answers in one page.
"""

import contextlib
import http.server
import json
import os
import re
import threading

from tests.data import history_file
from tests.e2e import executions
from tests.e2e.annalsd import ARN_PREFIX

MODEL = "com.amazonaws.swf.service.v2.model#"
SERVICE = "com.amazon.coral.service#"
VALIDATION = "com.amazon.coral.validate#ValidationException"
# Executions of the machine Encrypted: the error that KMS has for their keys, and what clients get.
ENCRYPTED = {
    "denied": ("AccessDeniedException", "KmsAccessDeniedException",
               "the key of the history may not be used"),
    "disabled": ("DisabledException", "KmsInvalidStateException",
                 "the key of the history is not in a state to be used", "DISABLED"),
    "throttled": ("ThrottlingException", "KmsThrottlingException",
                  "the key service takes no more requests for now"),
}
KMS_SAYS = "The key may not be used."


class Refusal(Exception):
    """An error: its type, its message and, of some, the state of a key."""


class Reference:
    """The answers."""

    def __init__(self, files):
        self.histories = {os.path.basename(path)[:-len(".json")]: history_file.load(path)
                          for path in files}

    def answer(self, key, operation, request):
        if key == "AKIANOBODY":
            raise Refusal(MODEL + "UnrecognizedClientException",
                          "The security token included in the request is invalid.")
        if key == "AKIAWRONG":
            raise Refusal(SERVICE + "InvalidSignatureException",
                          "The request signature we calculated does not match the signature you "
                          "provided. Check your AWS Secret Access Key and signing method. Consult "
                          "the service documentation for details.")
        return getattr(self, operation)(**request)

    def GetExecutionHistory(self, executionArn, maxResults=0, nextToken=None, reverseOrder=False,
                            includeExecutionData=True):
        if maxResults > 1000:
            raise Refusal(VALIDATION, "1 validation error detected: Value '%d' at 'maxResults' "
                                      "failed to satisfy constraint: Member must have value less "
                                      "than or equal to 1000" % maxResults)
        events = self.find(executionArn, "GetExecutionHistory")
        if nextToken:
            raise Refusal(MODEL + "InvalidToken", "Invalid Token: 'Invalid token'")
        if not includeExecutionData:
            events = [history_file.without_data(e) for e in events]
        return {"events": events[::-1] if reverseOrder else events}

    def DescribeExecution(self, executionArn):
        events = self.find(executionArn, "DescribeExecution")
        return executions.description(executionArn, events)

    def ListExecutions(self, stateMachineArn, maxResults=None, statusFilter=None):
        items = [executions.item(ARN_PREFIX + name, events, stateMachineArn)
                 for name, events in self.histories.items()]
        return {"executions": [e for e in executions.newest_first(items)
                               if statusFilter in (None, e["status"])]}

    def find(self, arn, operation):
        """The events of an execution."""
        if not arn.startswith("arn:"):
            raise Refusal(MODEL + "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: %s'" % arn)
        machine, name = arn.split(":")[-2:]
        if machine == "Encrypted":
            failure, error, meaning, *state = ENCRYPTED[name]
            raise Refusal(MODEL + error, "%s: KMS: %s: %s" % (meaning, failure, KMS_SAYS), *state)
        if machine != "Machine":
            raise Refusal(MODEL + "AccessDeniedException",
                          "User: clients is not authorized to perform: states:%s on resource: %s"
                          % (operation, arn))
        if name not in self.histories:
            raise Refusal(MODEL + "ExecutionDoesNotExist",
                          "Execution Does Not Exist: '%s'" % arn)
        return self.histories[name]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    reference = None

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        key = re.search(r"Credential=(\w+)", self.headers["Authorization"])[1]
        try:
            self.reply(200, self.reference.answer(key, operation, request))
        except Refusal as refusal:
            self.reply(400, dict(zip(("__type", "message", "kmsKeyState"), refusal.args)))

    def reply(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(files):
    """Answers from the files. Gives the URL."""
    handler = type("Handler", (Handler,), {"reference": Reference(files)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield "http://127.0.0.1:%d" % server.server_port
        finally:
            server.shutdown()
            thread.join()
