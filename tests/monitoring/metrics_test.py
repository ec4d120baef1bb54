#!/usr/bin/python3
"""/metrics of the real server: what known calls make of it, and what Prometheus' own tool says."""

import datetime
import os
import shutil
import subprocess
import unittest

import grpc

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import ARN_HEAD, CallError, passed, simple_history, started
from tests.monitoring.scrape import Scrape, wait
from tests.security import certificates

MARKER = "marker-of-payloads"
WATCH = "/annals.v1.HistoryService/WatchExecutionHistory"


class MetricsTest(unittest.TestCase):
    def setUp(self):
        self.server = annalsd.Annalsd("--backup-dir", annalsd.new_dir(), "--quota",
                                      "DescribeExecution=1:1")
        self.addCleanup(self.server.stop)
        self.client = annalsd.Client(self.server.grpc)
        self.addCleanup(self.client.close)
        self.arn = annalsd.arn("measured")

    def fails(self, reason, call, *args, **more):
        with self.assertRaises(CallError) as caught:
            call(*args, **more)
        self.assertEqual(caught.exception.reason, reason)

    def exercise(self):
        """Calls whose figures are known; all payloads carry the marker."""
        history = simple_history(250, payload='"%s"' % MARKER)
        self.client.append(self.arn, history[:200])
        self.client.append(self.arn, history[150:])  # 50 of them again
        self.fails("EVENT_CONFLICT", self.client.append, self.arn, [passed(2, name="Other")])
        self.fails("EVENT_GAP", self.client.append, self.arn, [passed(900)])
        self.assertEqual(len(list(self.client.pages(self.arn))), 3)
        self.fails("INVALID_TOKEN", self.client.page, self.arn, next_token="x")
        self.fails("INVALID_ARN", self.client.page, "no-arn-" + MARKER)
        self.fails("EXECUTION_DOES_NOT_EXIST", self.client.page, annalsd.arn("missing"))
        self.client.describe(self.arn)
        while True:  # until its quota is used up
            try:
                self.client.describe(self.arn)
            except CallError:
                break
        self.client.backup("daily")
        self.client.list(state_machine_arn=ARN_HEAD + "stateMachine:Machine")
        self.assertEqual(self.unknown_method().code(), grpc.StatusCode.UNIMPLEMENTED)
        with annalsd.Gateway(self.server.gateway) as gateway:
            self.assertEqual(len(gateway.history(self.arn)), 250)
            gateway.error({}, target="AWSStepFunctions." + MARKER)
            gateway.error({"executionArn": MARKER})

    def unknown_method(self):
        call = self.client.channel.unary_unary("/annals.v1.HistoryService/" + MARKER)
        with self.assertRaises(grpc.RpcError) as caught:
            call(b"", timeout=annalsd.WAIT_S)
        return caught.exception

    def test_known_calls(self):
        self.exercise()
        scrape = Scrape(self.server)

        def ended(method, code, reason="OK", transport="grpc"):
            return scrape.get("annals_calls_total", transport=transport, method=method, code=code,
                              reason=reason)
        self.assertEqual(ended("GetExecutionHistory", "OK"), 3)
        self.assertEqual(ended("GetExecutionHistory", "INVALID_ARGUMENT", "INVALID_TOKEN"), 1)
        self.assertEqual(ended("GetExecutionHistory", "INVALID_ARGUMENT", "INVALID_ARN"), 1)
        self.assertEqual(ended("GetExecutionHistory", "NOT_FOUND", "EXECUTION_DOES_NOT_EXIST"), 1)
        self.assertEqual(ended("AppendHistoryEvents", "OK"), 2)
        self.assertEqual(ended("AppendHistoryEvents", "ALREADY_EXISTS", "EVENT_CONFLICT"), 1)
        self.assertEqual(ended("AppendHistoryEvents", "FAILED_PRECONDITION", "EVENT_GAP"), 1)
        self.assertEqual(ended("DescribeExecution", "RESOURCE_EXHAUSTED", "RATE_EXCEEDED"), 1)
        self.assertEqual(ended("ListExecutions", "OK"), 1)
        self.assertEqual(ended("CreateBackup", "OK"), 1)
        self.assertEqual(ended("other", "UNIMPLEMENTED", "UNKNOWN_METHOD"), 1)
        self.assertEqual(ended("GetExecutionHistory", "200", transport="aws_json"), 3)
        self.assertEqual(ended("GetExecutionHistory", "400", "INVALID_ARN", "aws_json"), 1)
        self.assertEqual(ended("other", "400", "UNKNOWN_OPERATION", "aws_json"), 1)
        read = {"grpc": 250, "aws_json": 250}
        for transport, events in read.items():
            labels = {"transport": transport, "method": "GetExecutionHistory"}
            self.assertEqual(scrape.get("annals_events_read_total", **labels), events)
            self.assertEqual(scrape.get("annals_call_duration_seconds_count", **labels),
                             scrape.sum("annals_calls_total", **labels))
            self.assertGreater(scrape.get("annals_call_duration_seconds_sum", **labels), 0)
            self.assertGreater(scrape.get("annals_request_bytes_total", **labels), len(self.arn))
            self.assertGreater(scrape.get("annals_response_bytes_total", **labels), 250 * 20)
        labels = {"transport": "grpc", "method": "AppendHistoryEvents"}
        self.assertEqual(scrape.get("annals_events_appended_total", **labels), 250)
        self.assertEqual(scrape.get("annals_events_already_stored_total", **labels), 50)
        self.assertEqual(scrape.get("annals_store_commit_writes_count"), 2)
        self.assertEqual(scrape.get("annals_store_commit_writes_sum"), 2)
        self.assertEqual(scrape.get("annals_store_commit_duration_seconds_count"), 2)
        self.assertGreater(scrape.get("annals_store_commit_bytes_sum"), 250 * 20)
        self.assertGreater(scrape.get("annals_backup_last_success_timestamp_seconds"), 1700000000)
        self.assertEqual(scrape.get("annals_ready"), 1)
        self.assertEqual(scrape.get("annals_live"), 1)

    def test_the_store(self):
        self.exercise()
        scrape = wait(self.server, lambda s: s.sum("annals_store_reads_total", **{"from": "memory"}) > 0,
                      "a sample of the store behind the calls")
        self.assertEqual(scrape.get("annals_store_writes_stopped"), 0)
        self.assertEqual(scrape.get("annals_store_full"), 0)
        self.assertEqual(scrape.get("annals_store_disk_min_free_bytes"), 256 << 20)
        self.assertGreater(scrape.get("annals_store_disk_size_bytes"),
                           scrape.get("annals_store_disk_free_bytes"))
        self.assertEqual(scrape.get("annals_store_corruptions_total"), 0)
        self.assertEqual(scrape.get("annals_store_writer_queue_writes"), 0)
        self.assertGreater(scrape.get("annals_rocksdb_block_cache_capacity_bytes"), 1 << 20)
        self.assertGreater(scrape.get("annals_rocksdb_wal_bytes"), 250 * 20)
        self.assertLess(scrape.get("annals_store_sample_age_seconds"), annalsd.WAIT_S)
        for family in "history", "executions", "listings":
            self.assertGreater(scrape.get("annals_rocksdb_memtable_bytes", family=family), 0)
            self.assertIsNotNone(scrape.get("annals_rocksdb_level_files", family=family, level="0"))

    def test_files_of_levels_and_blocks_from_them(self):
        self.client.append(self.arn, simple_history(300))
        self.server.restart()  # into a file
        with annalsd.Client(self.server.grpc) as client:
            client.history(self.arn)
        scrape = wait(self.server, lambda s: s.get("annals_rocksdb_block_cache_misses_total") > 0,
                      "a block from a file")
        labels = {"family": "history"}
        self.assertGreaterEqual(scrape.sum("annals_rocksdb_level_files", **labels), 1)
        self.assertGreater(scrape.sum("annals_rocksdb_level_bytes", **labels), 100)
        self.assertGreater(scrape.get("annals_rocksdb_estimated_keys", **labels), 0)
        self.assertGreater(scrape.get("annals_store_reads_total", **{"from": "disk"}), 0)

    def test_streams_and_connections(self):
        self.client.append(self.arn, [started()])
        stream = self.client.channel.unary_stream(WATCH)(
            b"\n" + bytes([len(self.arn)]) + self.arn.encode())
        next(stream)
        labels = {"transport": "grpc", "method": "WatchExecutionHistory"}
        scrape = Scrape(self.server)
        self.assertEqual(scrape.get("annals_calls_under_way", **labels), 1)
        self.assertEqual(scrape.get("annals_grpc_counted_calls", kind="stream"), 1)
        self.assertEqual(scrape.get("annals_connections", transport="grpc"), 1)
        self.assertEqual(scrape.get("annals_events_read_total", **labels), 1)
        with annalsd.Gateway(self.server.gateway) as gateway:
            gateway.history(self.arn)
            self.assertEqual(Scrape(self.server).get("annals_connections", transport="aws_json"), 1)
        stream.cancel()
        self.client.close()
        scrape = wait(self.server, lambda s: s.get("annals_connections", transport="grpc") == 0 and
                      s.get("annals_calls_under_way", **labels) == 0 and
                      s.get("annals_grpc_counted_calls", kind="stream") == 0,
                      "the end of the connection")
        self.assertEqual(scrape.get("annals_calls_total", code="CANCELLED", reason="CANCELLED",
                                    **labels), 1)

    def test_the_process(self):
        scrape = Scrape(self.server)
        self.assertAlmostEqual(scrape.get("process_resident_memory_bytes"),
                               self.server.rss_bytes(), delta=64 << 20)
        self.assertAlmostEqual(scrape.get("process_open_fds"),
                               len(os.listdir("/proc/%d/fd" % self.server.process.pid)), delta=10)
        self.assertGreaterEqual(scrape.get("process_max_fds"), 1024)
        self.assertGreater(scrape.get("process_cpu_seconds_total"), 0)
        self.assertGreater(scrape.get("process_virtual_memory_bytes"), 0)
        self.assertGreater(scrape.get("process_threads"), 5)
        self.assertGreater(scrape.get("process_start_time_seconds"), 1600000000)
        self.assertEqual(scrape.sum("annals_build_info"), 1)

    def test_nothing_of_what_clients_send(self):
        self.exercise()
        text = Scrape(self.server).text
        self.assertNotIn(MARKER, text)
        self.assertNotIn("arn:", text)
        self.assertNotIn("measured", text)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool(self):
        self.exercise()
        done = subprocess.run(["promtool", "check", "metrics"], input=Scrape(self.server).text,
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


class TlsTest(unittest.TestCase):
    def test_certificate_and_reload(self):
        certificate = certificates.Ca().server()
        files = certificates.Files(certificate)
        expiry = certificate.certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc)
        with annalsd.Annalsd(*files.options) as server:
            self.assertEqual(Scrape(server).get("annals_certificate_expiry_timestamp_seconds"),
                             expiry.timestamp())
            self.assertEqual(Scrape(server).get("annals_reloads_total", what="certificates",
                                                result="success"), 0)
            server.reload("certificates reloaded")
            self.assertEqual(Scrape(server).get("annals_reloads_total", what="certificates",
                                                result="success"), 1)
            certificates.put(files.key, b"no key")
            server.reload("certificates stay as they were")
            self.assertEqual(Scrape(server).get("annals_reloads_total", what="certificates",
                                                result="failure"), 1)


if __name__ == "__main__":
    unittest_xml.main()
