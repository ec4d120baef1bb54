"""The servers that clients are tried against: annalsd with the histories, and the reference."""

import contextlib
import os

from tests.clients import reference
from tests.e2e import annalsd

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
        usual = self.start()
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
