#!/usr/bin/env python3
"""Spans of calls on both transports, as OpenTelemetry's Collector understands them.

The Collector is `collector` in the working directory; collector.go is its source.
"""

import os
import re
import socket
import subprocess
import time
import unittest

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import WAIT_S, CallError, started

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = "00-%s-%s-01" % (TRACE, PARENT)
CONFIG = """
receivers: {otlp: {protocols: {http: {endpoint: "%s"}}}}
exporters: {debug: {verbosity: detailed}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [debug]}}
"""


class Collector:
    """Listens on a port that was free a moment ago."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % free.getsockname()[1]
        self.said = os.path.join(annalsd.new_dir(), "said")
        config = self.said + ".yaml"
        with open(config, "w", encoding="utf-8") as f:
            f.write(CONFIG % self.address)
        with open(self.said, "wb") as f:
            self.process = subprocess.Popen(["./collector", "--config", config], stdout=f,
                                            stderr=f, stdin=subprocess.DEVNULL)

    def text(self):
        with open(self.said, encoding="utf-8") as f:
            return f.read()

    def wait(self, pattern, count=1):
        deadline = time.monotonic() + WAIT_S
        while len(re.findall(pattern, self.text(), re.M)) < count:
            assert self.process.poll() is None and time.monotonic() < deadline, self.text()
            time.sleep(0.05)

    def spans(self, count):
        """What it says of each span: lines of names and values."""
        self.wait("^Span #", count)
        self.stop()
        spans = re.split("^Span #[0-9]+$", self.text(), flags=re.M)[1:]
        return [dict(re.findall(r"^ +(?:-> )?(\S[^:]*?) *: (.+)$", span, re.M)) for span in spans]

    def stop(self):
        self.process.terminate()
        self.process.wait(WAIT_S)


class CollectorTest(unittest.TestCase):
    maxDiff = None

    def collector(self):
        for _ in range(5):  # another process may have taken the port
            collector = Collector()
            self.addCleanup(collector.stop)
            try:
                collector.wait("Everything is ready")
                return collector
            except AssertionError:
                if "address already in use" not in collector.text():
                    raise
        return self.fail("no port is free")

    def test_both_transports(self):
        collector = self.collector()
        server = annalsd.Annalsd("--otlp-endpoint", "http://" + collector.address,
                                 env={"OTEL_SERVICE_NAME": "histories"})
        self.addCleanup(server.stop)
        arn = annalsd.arn("a")
        with annalsd.Client(server.grpc, metadata=(("traceparent", TRACEPARENT),)) as client:
            client.append(arn, [started()])
            with self.assertRaises(CallError):
                client.page(annalsd.arn("b"))
        with annalsd.Gateway(server.gateway) as gateway:
            status, headers, _ = gateway.post({"executionArn": arn}, traceparent=TRACEPARENT)
        self.assertEqual(status, 200)
        append, missing, page = sorted(collector.spans(3), key=lambda span: span["Start time"])
        self.assertIn("-> service.name: Str(histories)", collector.text())
        self.assertNotIn(annalsd.MARKER, collector.text())
        for span in append, missing, page:
            self.assertEqual((span["Trace ID"], span["Parent ID"], span["Kind"]),
                             (TRACE, PARENT, "Server"))
        self.assertEqual((append["rpc.method"], append["rpc.grpc.status_code"],
                          append["annals.arn"]),
                         ("Str(AppendHistoryEvents)", "Int(0)", "Str(%s)" % arn))
        self.assertEqual((missing["rpc.method"], missing["rpc.grpc.status_code"],
                          missing["error.type"]),
                         ("Str(GetExecutionHistory)", "Int(5)", "Str(EXECUTION_DOES_NOT_EXIST)"))
        self.assertEqual((page["Name"], page["http.response.status_code"],
                          page["annals.request_id"]),
                         ("SFN/GetExecutionHistory", "Int(200)",
                          "Str(%s)" % headers["x-amzn-RequestId"]))


if __name__ == "__main__":
    unittest_xml.main()
