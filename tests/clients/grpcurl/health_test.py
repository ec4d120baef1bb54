#!/usr/bin/env python3
"""grpc_health_probe tells how annalsd is: in plain text and over TLS, well and about to stop.

It is `grpc-health-probe` in the working directory.
"""

import signal
import subprocess
import unittest

from tests import unittest_xml
from tests.clients.grpcurl import calls_test
from tests.e2e import annalsd
from tests.e2e.annalsd import SERVICE, WAIT_S

WELL, CALL_FAILED, UNHEALTHY = 0, 3, 4  # its exit statuses
SERVING = "status: SERVING\n"
PATIENT = ("-connect-timeout", "%ds" % WAIT_S, "-rpc-timeout", "%ds" % WAIT_S)


class HealthTest(unittest.TestCase):
    def expect(self, server, status, said, *options):
        done = subprocess.run(
            ["./grpc-health-probe", "-addr", server.grpc, *PATIENT, *options],
            env=annalsd.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (status, "", said))

    def test_plain_text(self):
        with annalsd.Annalsd() as server:
            self.expect(server, WELL, SERVING)
            self.expect(server, WELL, SERVING, "-service", SERVICE.full_name)
            self.expect(server, CALL_FAILED, "error: health rpc failed: rpc error: code = NotFound "
                        "desc = there is no service nobody.Here\n", "-service", "nobody.Here")

    def test_tls_without_a_token(self):
        options, ca_file = calls_test.secured()
        with annalsd.Annalsd(*options) as server:
            self.expect(server, WELL, SERVING, "-tls", "-tls-ca-cert", ca_file)

    def test_stopping(self):
        server = annalsd.Annalsd("--drain-delay", "600")
        self.addCleanup(server.kill)
        with annalsd.Client(server.grpc) as client:
            watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch")(
                b"", timeout=WAIT_S)
            self.assertEqual(next(watch), b"\x08\x01")
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(next(watch), b"\x08\x02")
        self.expect(server, UNHEALTHY, 'service unhealthy (responded with "NOT_SERVING")\n')


if __name__ == "__main__":
    unittest_xml.main()
