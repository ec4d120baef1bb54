#!/usr/bin/python3
"""The dashboard: what every panel asks is answered by a real Prometheus with a server's figures."""

import json
import os
import re
import unittest

from annals.v1 import history_service_pb2
from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import CallError, simple_history
from tests.monitoring import prometheus
from tests.security import certificates

ENCRYPTED = history_service_pb2.EncryptionConfiguration(
    type="ENCRYPTION_TYPE_CUSTOMER_MANAGED_KMS_KEY", kms_key_id="local:main")
DASHBOARD = "deploy/grafana/annals.json"
# What Grafana puts in their place.
VARIABLES = {"$job": "annals", "$instance": ".*", "$__rate_interval": "5m"}


def panels():
    with open(DASHBOARD, encoding="utf-8") as f:
        dashboard = json.load(f)
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expand(expression):
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


class DashboardTest(unittest.TestCase):
    def test_layout(self):
        taken = set()
        for panel in panels():
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells
        titles = [panel["title"] for panel in panels()]
        self.assertEqual(len(titles), len(set(titles)))

    def test_every_metric_is_one(self):
        with open("deploy/README.md", encoding="utf-8") as f:
            metrics = set(re.findall(r"^\| `(\w+)` \|", f.read(), re.M))
        used = {name for panel in panels() for target in panel["targets"]
                for name in re.findall(r"\b((?:annals|process)_\w+)", target["expr"])}
        self.assertEqual({re.sub("_(bucket|sum|count)$", "", name) for name in used} - metrics, set())

    def keys(self):
        """Of a file; the KMS is only named."""
        path = os.path.join(annalsd.new_dir(), "keys")
        with open(path, "w", encoding="ascii") as f:
            f.write("main " + "0123456789abcdef" * 4 + "\n")
        os.chmod(path, 0o600)
        return "--kms-key-file", path, "--kms-endpoint", "http://127.0.0.1:9"

    def make_file(self, server):
        """Puts an execution into a file, for reads of blocks."""
        with annalsd.Client(server.grpc) as client:
            client.append(annalsd.arn("in-a-file"), simple_history(200))
        server.restart()

    def make_traffic(self, server, round_number):
        arn = annalsd.arn("dashboard-%d" % round_number)
        with annalsd.Client(server.grpc) as client, annalsd.Gateway(server.gateway) as gateway:
            for _ in range(2):
                client.append(arn, simple_history(20))
            client.history(arn)
            client.history(annalsd.arn("in-a-file"))
            gateway.history(arn)
            client.append(annalsd.arn("secret-%d" % round_number), simple_history(2),
                          encryption_configuration=ENCRYPTED)
            with self.assertRaises(CallError):
                client.page(annalsd.arn("missing"))
            client.backup("daily")

    @unittest.skipUnless(prometheus.PROGRAM, "prometheus is not installed")
    def test_every_query_returns_something(self):
        certificate = certificates.Files(certificates.Ca().server())
        with annalsd.Annalsd("--backup-dir", annalsd.new_dir(), *self.keys(), "--otlp-endpoint",
                             "http://127.0.0.1:9", "--trace-sample", "1") as server, \
                annalsd.Annalsd(*certificate.options) as with_tls:
            self.make_file(server)
            with prometheus.Prometheus({"plain": server.ops, "tls": with_tls.ops}) as monitor:
                monitor.wait('up{instance="plain"} == 1')
                for round_number in range(2):
                    self.make_traffic(server, round_number)
                for panel in panels():
                    self.assertTrue(panel["targets"], panel["title"])
                    for target in panel["targets"]:
                        monitor.wait(expand(target["expr"]))


if __name__ == "__main__":
    unittest_xml.main()
