"""A KMS on a loopback port: AWS's JSON 1.1, with keys whose state a test decides."""

import base64
import http.server
import importlib
import json
import os
import threading
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.e2e import aws

ARN_HEAD = "arn:aws:kms:us-east-1:123456789012:key/"
STATES = {"PendingDeletion": "pending deletion", "PendingImport": "pending import",
          "Unavailable": "unavailable", "Creating": "creating"}


class Key:
    def __init__(self):
        self.id = str(uuid.uuid4())
        self.arn = ARN_HEAD + self.id
        self.state = "Enabled"
        self.says = None  # a Failure for every use
        self.secret = AESGCM(os.urandom(32))


class Failure(Exception):
    """An answer that is none: AWS's name of it, and the words."""

    def __init__(self, name, message, status=400):
        super().__init__(message)
        self.name, self.status = name, status


def check_state(arn, state):
    """Fails as AWS does unless the key may be used."""
    if state == "Disabled":
        raise Failure("DisabledException", arn + " is disabled.")
    if state != "Enabled":
        raise Failure("KMSInvalidStateException", "%s is %s." % (arn, STATES[state]))


def context_bytes(context):
    return json.dumps(context, sort_keys=True).encode()


class FakeKms:
    """To be stopped."""

    def __init__(self, port=0):
        self.keys = {}
        self.says = None  # a Failure for every call; "nothing": the connection is closed
        self.calls = []  # names of operations
        self.hanging = threading.Event()
        self.hanging.set()  # cleared: calls wait
        fake = self
        for module in "auth", "awsrequest", "credentials":  # no caller is to wait for these
            importlib.import_module("botocore." + module)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                fake.handle(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/" % self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self):
        self.hanging.set()
        self.server.shutdown()
        self.server.server_close()

    def options(self):
        return "--kms-endpoint", self.url, "--kms-region", "us-east-1"

    def environment(self):
        return {"AWS_ACCESS_KEY_ID": "AKIAKMS", "AWS_SECRET_ACCESS_KEY": "secret/of+annals",
                "AWS_SESSION_TOKEN": "a/session+token=="}

    def new_key(self):
        key = Key()
        self.keys[key.id] = key
        return key

    # --- requests ---

    def handle(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        self.calls.append(operation)
        self.hanging.wait()
        if self.says == "nothing":
            request.close_connection = True
            return
        try:
            self.check_signature(request, body)
            if self.says is not None:
                raise self.says
            status, answer = 200, getattr(self, "do_" + operation)(json.loads(body))
        except Failure as failure:
            status, answer = failure.status, {"__type": failure.name, "message": str(failure)}
        try:
            self.reply(request, status, json.dumps(answer).encode())
        except OSError:
            request.close_connection = True  # the caller is gone

    @staticmethod
    def reply(request, status, answer):
        request.send_response(status)
        request.send_header("Content-Type", "application/x-amz-json-1.1")
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def check_signature(self, request, body):
        """Signed as botocore would have."""
        variables = self.environment()
        given = request.headers["Authorization"]
        made = aws.authorization(
            "kms", "us-east-1", variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"],
            self.url, body, {name: request.headers[name] for name in
                             given.partition("SignedHeaders=")[2].partition(",")[0].split(";")})
        if (made != given.replace(", ", ",").replace(",", ", ")
                or request.headers["X-Amz-Security-Token"] != variables["AWS_SESSION_TOKEN"]):
            raise Failure("InvalidSignatureException", "%s is not %s" % (given, made))

    # --- operations ---

    def find(self, key_id):
        key = self.keys.get(key_id.rpartition("/")[2])
        if key is None:
            raise Failure("NotFoundException", "Key '%s' does not exist" % key_id)
        check_state(key.arn, key.state)
        if key.says is not None:
            raise key.says
        return key

    @staticmethod
    def wrap(key, context, plain):
        nonce = os.urandom(12)
        return key.id.encode() + nonce + key.secret.encrypt(nonce, plain, context_bytes(context))

    def unwrap(self, blob, context, key_id):
        key = self.find(blob[:36].decode())
        if key_id is not None and self.find(key_id) is not key:
            raise Failure("IncorrectKeyException", "another key")
        try:
            return key, key.secret.decrypt(blob[36:48], blob[48:], context_bytes(context))
        except InvalidTag:
            raise Failure("InvalidCiphertextException", "altered") from None

    def do_GenerateDataKey(self, body):
        key = self.find(body["KeyId"])
        plain = os.urandom(32)
        return {"KeyId": key.arn, "Plaintext": base64.b64encode(plain).decode(),
                "CiphertextBlob": base64.b64encode(
                    self.wrap(key, body["EncryptionContext"], plain)).decode()}

    def do_Decrypt(self, body):
        key, plain = self.unwrap(base64.b64decode(body["CiphertextBlob"]),
                                 body["EncryptionContext"], body.get("KeyId"))
        return {"KeyId": key.arn, "Plaintext": base64.b64encode(plain).decode(),
                "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}

    def do_ReEncrypt(self, body):
        source, plain = self.unwrap(base64.b64decode(body["CiphertextBlob"]),
                                    body["SourceEncryptionContext"], body.get("SourceKeyId"))
        key = self.find(body["DestinationKeyId"])
        return {"KeyId": key.arn, "SourceKeyId": source.arn,
                "CiphertextBlob": base64.b64encode(
                    self.wrap(key, body["DestinationEncryptionContext"], plain)).decode()}
