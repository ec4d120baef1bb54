#!/usr/bin/python3
"""Faults of a real server fire the alerts that should, in a real Prometheus that scrapes it.

The rules are those of deploy/prometheus, but for their `for:`, which is 0 here: tests cannot wait
for minutes. That they wait in operation is what alerts_test.yaml asks.
"""

import glob
import http.server
import os
import socketserver
import threading
import unittest
import urllib.request

import grpc

from tests import unittest_xml
from tests.crash import faults
from tests.e2e import annalsd
from tests.e2e.annalsd import CallError, passed, simple_history, started
from tests.monitoring import prometheus
from tests.security import certificates

WATCH = "/annals.v1.HistoryService/WatchExecutionHistory"
MORE_THAN_ANY_DISK_MIB = "2000000000"
OF_FAULTS = {"AnnalsDiskFull", "AnnalsWritesStopped", "AnnalsErrors", "AnnalsOverloaded",
             "AnnalsNearLimit", "AnnalsCorruption", "AnnalsCertificateExpires",
             "AnnalsReloadFailed", "AnnalsRestartLoop", "AnnalsDiskStalled", "AnnalsQuotaExceeded",
             "AnnalsRetentionLags", "AnnalsBallastMissing", "AnnalsSpansLost"}
REFUSALS = 60  # more than 0.1 a second in five minutes
REFUSALS_BY_QUOTA = 1500  # more than one a second in a quarter of an hour
RESTARTS = 3
STALL_MS = 600000


class Stand(http.server.BaseHTTPRequestHandler):
    """An HTTP server on a port that stays: hands on /metrics of a server that is started anew on
    others, and takes nobody's spans."""

    behind = None

    def do_GET(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open("http://%s%s" % (self.behind.ops, self.path), timeout=1) as answer:
            body = answer.read()
            self.answer(200, answer.headers["Content-Type"], body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(400, "text/plain", b"")

    def answer(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Stands(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """While the server behind it is away, nothing comes."""


@unittest.skipUnless(prometheus.PROGRAM, "prometheus is not installed")
class FaultAlertsTest(unittest.TestCase):
    """Each fault has a server of its own; one Prometheus watches them all."""

    @classmethod
    def setUpClass(cls):
        cls.disk = faults.Disk()
        cls.slow_disk = faults.Disk()
        cls.tls = certificates.Files(certificates.Ca().server(left=3 * certificates.DAY))
        cls.servers = {}
        cls.serve("well")
        cls.serve("full", "--min-free-space", MORE_THAN_ANY_DISK_MIB)
        cls.serve("failing", data_dir=os.path.join(cls.disk.root, "data"),
                  env=cls.disk.environment())
        cls.serve("slow", data_dir=os.path.join(cls.slow_disk.root, "data"),
                  env=cls.slow_disk.environment())
        cls.serve("overloaded", "--grpc-max-streams", "1")
        cls.serve("damaged")
        cls.damage(cls.servers["damaged"])
        cls.serve("expiring", *cls.tls.options)
        cls.serve("killed")
        cls.stalled_disk = faults.Disk()
        cls.serve("stalled", data_dir=os.path.join(cls.stalled_disk.root, "data"),
                  env=cls.stalled_disk.environment())
        cls.serve("restarting")
        cls.serve("asked", "--quota", "DescribeExecution=1:1")
        cls.serve("lagging")
        cls.damage(cls.servers["lagging"], "--retention", "1s")
        cls.serve("backed-up", "--backup-dir", annalsd.new_dir())
        cls.serve("unballasted", "--ballast", MORE_THAN_ANY_DISK_MIB)
        cls.stand = Stands(("127.0.0.1", 0), Stand)
        Stand.behind = cls.servers["restarting"]
        threading.Thread(target=cls.stand.serve_forever, args=(0.05,), daemon=True).start()
        cls.addClassCleanup(cls.stand.server_close)
        cls.addClassCleanup(cls.stand.shutdown)
        address = "127.0.0.1:%d" % cls.stand.server_address[1]
        cls.serve("unheard", "--otlp-endpoint", "http://" + address, "--trace-sample", "1")
        cls.monitor = prometheus.Prometheus({
            name: address if name == "restarting" else server.ops
            for name, server in cls.servers.items()})
        cls.addClassCleanup(cls.monitor.stop)
        for name in cls.servers:
            cls.monitor.wait('annals_ready{instance="%s"} == 1' % name)
        # It takes ten seconds until the disk is said to hang: meanwhile other tests go on.
        cls.stalled_disk.set_rules("list * 1+ delay=%d" % STALL_MS)

    @classmethod
    def serve(cls, name, *args, **more):
        cls.servers[name] = annalsd.Annalsd(*args, **more)
        cls.addClassCleanup(cls.end, cls.servers[name])

    @classmethod
    def end(cls, server):
        if server.process.poll() is None:
            server.kill()

    @classmethod
    def damage(cls, server, *more_args):
        """Flips a bit in the block of an execution's events, while the server is down; starts it
        with more options."""
        end = passed(201)
        end.ClearField("state_entered_event_details")
        end.type = annalsd.HistoryEvent(type="HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED").type
        with annalsd.Client(server.grpc) as client:
            client.append(annalsd.arn("damaged"), simple_history(200) + [end])
        server.restart()  # into a file
        server.stop()
        files = glob.glob(server.data_dir + "/**/*.sst", recursive=True)
        with open(max(files, key=os.path.getsize), "r+b") as f:
            byte = f.read(101)[100]
            f.seek(100)
            f.write(bytes([byte ^ 1]))
        server.args += more_args
        server.start()

    def client(self, name):
        client = annalsd.Client(self.servers[name].grpc)
        self.addCleanup(client.close)
        return client

    def fails(self, reason, call, *args):
        with self.assertRaises(CallError) as caught:
            call(*args)
        self.assertEqual(caught.exception.reason, reason)

    def test_full_disk(self):
        self.fails("NO_SPACE", self.client("full").append, annalsd.arn("a"), [started()])
        self.monitor.wait_alert("AnnalsDiskFull", "full")
        self.monitor.wait_alert("AnnalsErrors", "full")

    def test_failing_fsync(self):
        client = self.client("failing")
        client.append(annalsd.arn("a"), [started()])
        self.disk.set_rules("sync *.log 1+ EIO")
        self.fails("OUTCOME_UNKNOWN", client.append, annalsd.arn("a"), [passed(2)])
        self.monitor.wait_alert("AnnalsWritesStopped", "failing")
        self.monitor.wait_alert("AnnalsErrors", "failing")

    def test_slow_fsync(self):
        self.slow_disk.set_rules("sync *.log 1+ delay=1100")
        client = self.client("slow")
        for event in simple_history(2):
            client.append(annalsd.arn("a"), [event])
        self.slow_disk.set_rules()
        self.monitor.wait_alert("AnnalsSyncSlow", "slow")
        self.monitor.wait_alert("AnnalsAppendsSlow", "slow")

    def test_overload(self):
        client = self.client("overloaded")
        arn = annalsd.arn("a")
        client.append(arn, [started()])
        watch = client.channel.unary_stream(WATCH)
        request = b"\n" + bytes([len(arn)]) + arn.encode()
        stream = watch(request)
        self.addCleanup(stream.cancel)
        next(stream)
        for _ in range(REFUSALS):
            with self.assertRaises(grpc.RpcError) as caught:
                next(watch(request))
            self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.monitor.wait_alert("AnnalsOverloaded", "overloaded")
        self.monitor.wait_alert("AnnalsNearLimit", "overloaded")

    def test_damaged_block(self):
        self.fails("DATA_CORRUPTED", self.client("damaged").history, annalsd.arn("damaged"))
        self.monitor.wait_alert("AnnalsCorruption", "damaged")

    def test_certificate(self):
        self.monitor.wait_alert("AnnalsCertificateExpires", "expiring")
        certificates.put(self.tls.key, b"no key")
        self.servers["expiring"].reload("certificates stay as they were")
        self.monitor.wait_alert("AnnalsReloadFailed", "expiring")

    def test_restarts(self):
        began = 0
        for _ in range(RESTARTS):
            sample = self.monitor.wait(
                'process_start_time_seconds{instance="restarting"} > %r' % began)
            began = sample[0][1]
            self.servers["restarting"].restart()
        self.monitor.wait_alert("AnnalsRestartLoop", "restarting")

    def test_stalled_disk(self):
        self.monitor.wait_alert("AnnalsDiskStalled", "stalled")

    def test_quota(self):
        client = self.client("asked")
        client.append(annalsd.arn("a"), [started()])
        refused = 0
        while refused < REFUSALS_BY_QUOTA:
            try:
                client.describe(annalsd.arn("a"))
            except CallError as error:
                self.assertEqual(error.reason, "RATE_EXCEEDED")
                refused += 1
        self.monitor.wait_alert("AnnalsQuotaExceeded", "asked")

    def test_retention(self):
        """The damage is met once, perhaps before anybody scrapes, and must be told of ever after."""
        self.monitor.wait_alert("AnnalsRetentionLags", "lagging")

    def test_old_backup(self):
        self.client("backed-up").backup("nightly")
        self.monitor.wait('annals_backup_last_success_timestamp_seconds{instance="backed-up"} > 0')
        self.monitor.wait_alert("AnnalsBackupOld", "backed-up")

    def test_ballast(self):
        self.monitor.wait_alert("AnnalsBallastMissing", "unballasted")

    def test_spans(self):
        self.client("unheard").append(annalsd.arn("a"), [started()])
        self.monitor.wait_alert("AnnalsSpansLost", "unheard")

    def test_killed(self):
        self.servers["killed"].kill()
        self.monitor.wait_alert("AnnalsDown", "killed")

    def test_well(self):
        """One without a fault fires none of those, while it is used. A slow machine may be slow, and
        its disk stand still."""
        client = self.client("well")
        arn = annalsd.arn("a")
        client.append(arn, simple_history(50))
        client.history(arn)
        calls = 'annals_calls_total{instance="well",method="GetExecutionHistory",code="OK"} > 0'
        self.monitor.wait(calls)
        self.assertEqual(self.monitor.firing("well") & OF_FAULTS - {"AnnalsDiskStalled"},
                         set())


if __name__ == "__main__":
    unittest_xml.main()
