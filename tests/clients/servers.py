"""The servers that clients are tried against: annalsd with the histories, some under keys of a KMS
that says no, and the reference."""

import contextlib
import os

from annals.v1 import history_service_pb2
from tests.clients import reference
from tests.e2e import annalsd
from tests.e2e.fake_kms import Failure, FakeKms

EXECUTIONS = ("all_types", "branches", "order_fulfilment", "redrive", "thousand_events")
CREDENTIALS = """
[clients]
access_key_id = AKIACLIENTS
secret_access_key = secret
access_key_id = ASIACLIENTS
secret_access_key = temporary
session_token = token
access_key_id = AKIAWRONG
secret_access_key = right
allow = states:* on arn:aws:states:us-east-1:123456789012:execution:Machine:*
allow = states:* on arn:aws:states:us-east-1:123456789012:stateMachine:Machine
allow = states:GetExecutionHistory on arn:aws:states:us-east-1:123456789012:execution:Encrypted:*
""" + annalsd.WRITER
HOUR_AHEAD = {
    "LD_PRELOAD": "/usr/$LIB/faketime/libfaketimeMT.so.1",
    "FAKETIME": "+1h",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
}


class Servers(contextlib.ExitStack):
    """Run them as a context manager."""

    def __init__(self, histories):
        super().__init__()
        self.files = [os.path.join(histories, name + ".json") for name in EXECUTIONS]
        kms = FakeKms()
        self.callback(kms.stop)
        usual = self.start(*kms.options(), "--kms-timeout", "60", env=kms.environment())
        encrypt(usual, kms)
        ahead = self.start(env=HOUR_AHEAD)
        self.busy = self.start("--quota", "GetExecutionHistory=1:2")
        # What programs need to find them.
        self.env = {
            "AWS_ENDPOINT_URL": "http://" + usual.gateway,
            "ANNALS_AHEAD": "http://" + ahead.gateway,
            "ANNALS_BUSY": "http://" + self.busy.gateway,
            "ANNALS_REFERENCE": self.enter_context(reference.serve(self.files)),
            "AWS_ACCESS_KEY_ID": "AKIACLIENTS",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_MAX_ATTEMPTS": "10",
        }

    def start(self, *options, env=None):
        """Starts an annalsd with the histories."""
        path = os.path.join(annalsd.new_dir(), "credentials")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as f:
            f.write(CREDENTIALS)
        server = self.enter_context(annalsd.Annalsd(
            "--credentials-file", path, "--region", "us-east-1", *options, env=env))
        annalsd.run_cli("--endpoint", server.grpc, "import", "--arn-prefix", annalsd.ARN_PREFIX,
                        *self.files, env={"ANNALS_TOKEN": annalsd.WRITER_TOKEN})
        return server

    def throttled_count(self):
        """How many calls have been throttled so far."""
        return self.busy.log().count('"reason":"ThrottlingException"')


def encrypt(server, kms):
    """Has executions under keys that are good when they are created, and not afterwards."""
    keys = {name: kms.new_key() for name in reference.ENCRYPTED}
    with annalsd.Client(server.grpc, metadata=annalsd.BY_WRITER) as client:
        for name, key in keys.items():
            client.append(
                annalsd.ARN_HEAD + "execution:Encrypted:" + name, [annalsd.started()],
                encryption_configuration=history_service_pb2.EncryptionConfiguration(
                    type="ENCRYPTION_TYPE_CUSTOMER_MANAGED_KMS_KEY", kms_key_id=key.arn))
    for name, key in keys.items():
        key.says = Failure(reference.ENCRYPTED[name][0], reference.KMS_SAYS)
    server.restart()  # it has their data keys in memory
