"""Pods run as their manifests say, and go through what happens to them in a cluster."""

import http.server
import os
import signal
import ssl
import threading
import time
import unittest
import urllib.parse

import grpc

from annals.v1 import history_service_pb2

from tests.deploy import container, manifests
from tests.deploy.pod import WAIT_S, Pod
from tests.e2e import annalsd
from tests.e2e.annalsd import CallError, started
from tests.e2e.fake_kms import FakeKms
from tests.security.certificates import Ca

GRPC, GATEWAY = "127.0.0.1:50051", "127.0.0.1:8083"
ENGINE = "token-of-the-engine"
BACKUP = "token-of-the-backup"
CREDENTIALS = """[engine]
token = %s
allow = annals:* states:* on *

[backup]
token = %s
allow = annals-admin:CreateBackup on *
"""
NAMES = "annals", "annals-headless", "annals-gateway"
# As the overlay says.
KMS_PORT, STS_PORT = 4599, 4598
ROLE = "arn:aws:iam::123456789012:role/annals"
KEYS = "main " + "0123456789abcdef" * 4 + "\n"
ANSWER_OF_STS = """<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>%(AWS_ACCESS_KEY_ID)s</AccessKeyId>
<SecretAccessKey>%(AWS_SECRET_ACCESS_KEY)s</SecretAccessKey>
<SessionToken>%(AWS_SESSION_TOKEN)s</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


def by_token(token):
    return (("authorization", "Bearer " + token),)


def until(holds, what):
    deadline = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError("it never was so: " + what)
        time.sleep(0.05)


class FakeSts:
    """Gives credentials to whoever shows the token. To be stopped."""

    def __init__(self, port, credentials):
        tokens = self.tokens = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                given = urllib.parse.parse_qs(body)
                tokens.append((given["Action"], given["RoleArn"], given["WebIdentityToken"]))
                answer = ANSWER_OF_STS % credentials
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Authority:
    """Makes the content of the Secret annals-tls, over and over."""

    def __init__(self):
        self.ca = Ca()

    def secret(self):
        issued = self.ca.issue(dns=NAMES, ips=("127.0.0.1",))
        return issued, {"tls.crt": issued.pem, "tls.key": issued.key, "ca.crt": self.ca.pem}


@unittest.skipUnless(manifests.KUSTOMIZE, "neither kubectl nor Go is there")
@unittest.skipUnless(container.ROOTFS, container.PROBLEM)
class PodTest(unittest.TestCase):
    def setUp(self):
        self.authority = Authority()
        self.served, tls = self.authority.secret()
        self.secrets = {
            "annals-credentials": {"credentials.ini": CREDENTIALS % (ENGINE, BACKUP)},
            "annals-page-token-key": {"page-token.key": "ab" * 32 + "\n"},
            "annals-backup": {"token": BACKUP + "\n"},
            "annals-tls": tls,
            "annals-keys": {"keys": KEYS},
            "annals-otlp-headers": {"headers": "Authorization: Bearer of-the-receiver\n"},
            "sts.amazonaws.com": "token.of-the.account",
        }

    def pod(self, objects, kind="StatefulSet", name="annals", claims=None):
        return Pod(objects, manifests.find(objects, kind, name), self.secrets, claims)

    def start(self, overlay, claims=None):
        pod = self.pod(manifests.render(overlay), claims=claims)
        running = pod.run()
        self.addCleanup(running.stop, signal.SIGKILL)
        for name in "startupProbe", "readinessProbe":
            pod.wait_for(name)
        self.assertTrue(pod.probe("livenessProbe"))
        return pod, running

    def client(self, tls=False, token=ENGINE):
        credentials = grpc.ssl_channel_credentials(self.authority.ca.pem) if tls else None
        return annalsd.Client(GRPC, credentials, by_token(token) if token else ())

    def is_taken(self, token, tls=False):
        with self.client(tls, token) as client:
            try:
                client.list(state_machine_arn=annalsd.MACHINE_ARN)
                return True
            except CallError as error:
                self.assertEqual(error.code, grpc.StatusCode.UNAUTHENTICATED)
                return False

    def test_single_node(self):
        """Starts, serves, is told to stop, and comes back with what it was given."""
        claims = {"data": container.volume()}
        pod, running = self.start("overlays/single-node", claims)
        with self.client(token=None) as client, annalsd.Gateway(GATEWAY) as gateway:
            client.append(annalsd.arn("a"), [started()])
            self.assertEqual(len(gateway.history(annalsd.arn("a"))), 1)
            running.kill(signal.SIGTERM)
            pod.wait_for("readinessProbe", False)
            # The cluster takes its time to hear of that: calls go on, and it must not be killed.
            self.assertTrue(pod.probe("livenessProbe"))
            self.assertEqual(len(client.history(annalsd.arn("a"))), 1)
        self.assertEqual(running.wait(), 0)
        self.start("overlays/single-node", claims)
        with self.client(token=None) as client:
            self.assertEqual(len(client.history(annalsd.arn("a"))), 1)

    def test_base(self):
        pod, _ = self.start("base")
        with self.client() as client:
            client.append(annalsd.arn("a"), [started()])
        self.assertFalse(self.is_taken(None))
        # Rotation: both for a while, then the new one alone.
        volume = pod.volumes["credentials"]
        both = (CREDENTIALS % (ENGINE, BACKUP)).replace("token = token-of-the-e",
                                                        "token = the-engine-has-another\ntoken = token-of-the-e")
        for content, old in (both, True), (both.replace("token = %s\n" % ENGINE, ""), False):
            volume.set({"credentials.ini": content})
            until(lambda: self.is_taken("the-engine-has-another")
                  and self.is_taken(ENGINE) == old, "new credentials are taken")

    def test_page_tokens_outlive_the_rotation_of_their_key(self):
        pod, running = self.start("base")
        with self.client() as client:
            client.append(annalsd.arn("a"), annalsd.simple_history(3))
            old = client.page(annalsd.arn("a"), max_results=1).next_token
            pod.volumes["page-token-key"].set({"page-token.key": "cd" * 32 + "\n" + "ab" * 32 + "\n"})
            until(lambda: "page token keys" in running.log(), "the log tells of new keys")
            self.assertEqual(client.page(annalsd.arn("a"), max_results=1, next_token=old).events[0].id,
                             2)

    def served_serial(self):
        pem = ssl.get_server_certificate(("127.0.0.1", 8083))
        return pem.strip()

    def test_tls(self):
        pod, running = self.start("overlays/tls")
        with self.client(tls=True) as client:
            client.append(annalsd.arn("a"), [started()])
            served = self.served.pem.decode().strip()
            self.assertEqual(self.served_serial(), served)
            # cert-manager renews the Secret; the connection that is there goes on.
            renewed, content = self.authority.secret()
            pod.volumes["tls"].set(content)
            until(lambda: self.served_serial() == renewed.pem.decode().strip(), "renewed")
            self.assertEqual(len(client.history(annalsd.arn("a"))), 1)
        self.assertFalse(self.is_taken(None, tls=True))
        self.assertTrue(self.is_taken(ENGINE, tls=True))
        self.assertNotIn("cannot", running.log())

    def test_keys_of_kms_and_of_a_file(self):
        """By the token of its service account the server takes a role, and asks KMS for keys."""
        kms = FakeKms(KMS_PORT)
        self.addCleanup(kms.stop)
        sts = FakeSts(STS_PORT, kms.environment())
        self.addCleanup(sts.stop)
        keys = {"aws": kms.new_key().arn, "file": "local:main"}
        pod, running = self.start(manifests.ENCRYPTED)
        with self.client(token=None) as client:
            for name, key in keys.items():
                client.append(annalsd.arn(name), [started()], encryption_configuration=(
                    history_service_pb2.EncryptionConfiguration(
                        type="ENCRYPTION_TYPE_CUSTOMER_MANAGED_KMS_KEY", kms_key_id=key)))
        self.assertEqual(kms.calls, ["GenerateDataKey"])
        self.assertEqual(running.stop(), 0, running.log())
        self.start(manifests.ENCRYPTED, pod.claims)
        with self.client(token=None) as client:
            for name, key in keys.items():
                self.assertEqual(len(client.history(annalsd.arn(name))), 1)
                self.assertEqual(client.describe(annalsd.arn(name)).encryption_configuration.kms_key_id,
                                 key)
        self.assertEqual(list(dict.fromkeys(kms.calls)), ["GenerateDataKey", "Decrypt"])
        self.assertEqual(sts.tokens, [(["AssumeRoleWithWebIdentity"], [ROLE],
                                       ["token.of-the.account"])] * 2)

    def job(self, objects, kind, name, claims=None):
        """Runs a job to its end. Returns what it said."""
        job = self.pod(objects, kind, name, claims).run()
        out = job.process.stdout.read()
        self.assertEqual(job.wait(), 0, job.log())
        return out

    def test_backup_and_restore(self):
        pod, running = self.start("overlays/tls")
        with self.client(tls=True) as client:
            client.append(annalsd.arn("a"), [started()])
            self.job(manifests.render("overlays/tls"), "CronJob", "annals-backup")
            client.append(annalsd.arn("b"), [started()])
        self.assertIn("nightly", os.listdir(pod.claims["backup"]))
        running.stop(signal.SIGKILL)
        # In the place of what is there, and on a new volume.
        for claims in pod.claims, {**pod.claims, "data": container.volume()}:
            self.job(manifests.render("restore"), "Job", "annals-restore", claims)
            verified = self.job(manifests.render_by_guide("annals-verify"), "Job", "annals-verify",
                                claims)
            self.assertIn("1 executions, 1 events", verified)
            _, running = self.start("overlays/tls", claims)
            with self.client(tls=True) as client:
                self.assertEqual([e.name for e in client.list_all(
                    state_machine_arn=annalsd.MACHINE_ARN)], ["a"])
            running.stop(signal.SIGKILL)
        kept = [n for n in os.listdir(pod.claims["data"]) if n.startswith("data.before.")]
        self.assertEqual(len(kept), 1)
