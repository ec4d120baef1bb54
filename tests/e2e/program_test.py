#!/usr/bin/python3
"""annalsd as a program: options, listeners, signals, health, logs."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

import grpc

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import Annalsd, CallError, new_dir, passed, started

READY = re.compile(r"annalsd ready grpc=127\.0\.0\.1:\d+ gateway=127\.0\.0\.1:\d+ ops=127\.0\.0\.1:\d+\n")
OPTIONS = ("data-dir", "grpc-listen", "gateway-listen", "ops-listen", "tls-cert", "tls-key",
           "tls-client-ca", "allow-anonymous", "allow-plaintext", "credentials-file", "region",
           "quota", "page-token-ttl", "page-token-key-file", "log-level", "config")
FREE = ("--grpc-listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0", "--ops-listen",
        "127.0.0.1:0")


def get(address, path):
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=annalsd.WAIT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class RefusalTest(unittest.TestCase):
    """What does not start: one clear line, exit status 1, and 2 for wrong usage."""

    def refused(self, *args, status=1, **more):
        done = annalsd.run_server(*args, **more)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        return done.stderr

    def refused_in_one_line(self, *args, **more):
        line = self.refused(*args, **more)
        self.assertEqual(line.count("\n"), 1, line)
        record = json.loads(line)
        self.assertEqual((record["level"], record["message"]), ("error", "cannot start"))
        return record["error"]

    def test_data_directory_in_use(self):
        with Annalsd() as server, annalsd.Client(server.grpc) as client:
            error = self.refused_in_one_line("--data-dir", server.data_dir, *FREE)
            self.assertIn("in use", error)
            self.assertIn(server.data_dir, error)
            client.append(annalsd.arn("a"), [started()])
            self.assertEqual(len(client.history(annalsd.arn("a"))), 1)

    def test_port_in_use(self):
        for listener in "grpc", "gateway", "ops":
            with self.subTest(listener), socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                address = "127.0.0.1:%d" % taken.getsockname()[1]
                folder = os.path.join(new_dir(), "data")
                args = list(FREE)
                args[args.index("--%s-listen" % listener) + 1] = address
                error = self.refused_in_one_line("--data-dir", folder, *args)
                self.assertIn(address, error)
                self.assertRegex(error, "in use")
                with Annalsd(data_dir=folder):
                    pass

    def test_port_of_another_annalsd(self):
        with Annalsd() as server:
            for listener in "grpc", "gateway", "ops":
                args = list(FREE)
                args[args.index("--%s-listen" % listener) + 1] = server.addresses[listener]
                error = self.refused_in_one_line("--data-dir", new_dir() + "/data", *args)
                self.assertIn(server.addresses[listener], error)

    def test_directory_that_cannot_be_written(self):
        file = os.path.join(new_dir(), "file")
        with open(file, "w", encoding="ascii") as f:
            f.write("not a directory")
        for path in file, file + "/below", "/proc/annals":
            with self.subTest(path):
                self.assertIn(path, self.refused_in_one_line("--data-dir", path, *FREE))
        with open(file, encoding="ascii") as f:
            self.assertEqual(f.read(), "not a directory")

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_directory_without_permission(self):
        folder = new_dir()
        os.chmod(folder, 0o500)
        self.assertIn(folder, self.refused_in_one_line("--data-dir", folder, *FREE))

    def test_addresses_that_others_can_reach(self):
        for listener in "grpc", "gateway":
            for host in "0.0.0.0", "[::]":
                args = list(FREE)
                args[args.index("--%s-listen" % listener) + 1] = host + ":0"
                folder = os.path.join(new_dir(), "data")
                error = self.refused_in_one_line("--data-dir", folder, *args)
                self.assertIn("--allow-anonymous", error)
                self.assertIn("--%s-listen" % listener, error)
                self.assertFalse(os.path.exists(folder))

    def test_addresses_that_are_none(self):
        for text in "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:x", ":0", "::1:0", "no.such.host.:0":
            with self.subTest(text):
                for listener in "grpc", "gateway", "ops":
                    args = list(FREE)
                    args[args.index("--%s-listen" % listener) + 1] = text
                    self.assertIn(text, self.refused("--data-dir", new_dir(), *args))

    def test_usage(self):
        for args, words in ((["--no-such-option"], "--no-such-option"), (["word"], "word"),
                            (["--log-level", "loud"], "loud"), (["--page-token-ttl", "1h"], "1h"),
                            (["--page-token-ttl", "-1"], "-1"), (["--data-dir"], "--data-dir")):
            with self.subTest(args):
                self.assertIn(words, self.refused(*args, status=2))

    def test_usage_of_environment_and_file(self):
        self.assertIn("ANNALS_PAGE_TOKEN_TTL",
                      self.refused(status=2, env={"ANNALS_PAGE_TOKEN_TTL": "soon"}))
        path = os.path.join(new_dir(), "annalsd.ini")
        for text in "[annalsd]\nno-such-option=1\n", "[other]\na=b\n", "rubbish\n", None:
            with self.subTest(text):
                if text is None:
                    os.unlink(path)
                else:
                    with open(path, "w", encoding="ascii") as f:
                        f.write(text)
                self.assertIn(path, self.refused("--config", path, status=2))

    def test_key_file(self):
        path = os.path.join(new_dir(), "key")
        args = ("--data-dir", new_dir() + "/data", "--page-token-key-file", path, *FREE)
        self.assertIn(path, self.refused_in_one_line(*args))
        with open(path, "w", encoding="ascii") as f:
            f.write("short\n")
        self.assertIn(path, self.refused_in_one_line(*args))

    def test_help(self):
        done = annalsd.run_server("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for option in OPTIONS:
            self.assertIn("--" + option, done.stdout)


class OptionsTest(unittest.TestCase):
    """A flag counts for more than the environment, and that for more than the file."""

    def test_precedence(self):
        folder = new_dir()
        path = os.path.join(folder, "annalsd.ini")
        with open(path, "w", encoding="ascii") as f:
            f.write("[annalsd]\n" + "".join("%s-listen=127.0.0.4:0\n" % name for name in
                                           ("grpc", "gateway", "ops")) + "data-dir=%s/f\n" % folder)
        environment = {"ANNALS_GRPC_LISTEN": "127.0.0.3:0", "ANNALS_GATEWAY_LISTEN": "127.0.0.3:0"}
        command = [annalsd.SERVER, "--config", path, "--grpc-listen", "127.0.0.2:0"]
        process = subprocess.Popen(command, env=annalsd.environment(**environment),
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = process.stdout.readline()
        process.terminate()
        self.assertEqual(process.wait(annalsd.WAIT_S), 0)
        process.stdout.close()
        self.assertRegex(line, r"^annalsd ready grpc=127\.0\.0\.2:\d+ gateway=127\.0\.0\.3:\d+ "
                               r"ops=127\.0\.0\.4:\d+\n$")
        self.assertTrue(os.path.isdir(folder + "/f"))

    def test_config_from_the_environment(self):
        path = os.path.join(new_dir(), "annalsd.ini")
        with open(path, "w", encoding="ascii") as f:
            f.write("[annalsd]\nops-listen=127.0.0.5:0\n")
        with Annalsd("--ops-listen=127.0.0.6:0", env={"ANNALS_CONFIG": path}) as server:
            self.assertTrue(server.ops.startswith("127.0.0.6:"))

    def test_any_text_in_any_locale(self):
        """A container has no locale."""
        data_dir = os.path.join(new_dir(), "d\u00e4ten")
        with Annalsd(data_dir=data_dir, env={"LC_ALL": "C"}):
            self.assertTrue(os.path.isdir(os.path.join(data_dir, "rocksdb")))

    def test_allow_anonymous(self):
        with Annalsd("--allow-anonymous", "--grpc-listen", "0.0.0.0:0", "--gateway-listen",
                     "0.0.0.0:0", "--ops-listen", "0.0.0.0:0") as server:
            port = server.grpc.rpartition(":")[2]
            self.assertNotEqual(port, "0")
            with annalsd.Client("127.0.0.1:" + port) as client:
                client.append(annalsd.arn("a"), [started()])

    def test_ops_may_bind_anywhere(self):
        with Annalsd("--ops-listen", "0.0.0.0:0") as server:
            self.assertEqual(get("127.0.0.1:" + server.ops.rpartition(":")[2], "/livez")[0], 200)

    def test_data_dir_is_private(self):
        with Annalsd() as server:
            self.assertEqual(os.stat(server.data_dir).st_mode & 0o777, 0o700)
            self.assertEqual(os.stat(server.data_dir + "/page-token.key").st_mode & 0o777, 0o600)


class LifeTest(unittest.TestCase):
    def test_ready_line(self):
        with Annalsd() as server:
            self.assertRegex(server.ready_line, READY)
        self.assertEqual(server.process.stdout.closed, True)

    def test_health(self):
        with Annalsd() as server:
            for path in "/livez", "/readyz":
                self.assertEqual(get(server.ops, path)[0], 200)
            self.assertEqual(get(server.ops, "/nothing")[0], 404)

    def test_signals(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.subTest(number):
                server = Annalsd()
                with annalsd.Client(server.grpc) as client:
                    client.append(annalsd.arn("a"), [started()])
                self.assertEqual(server.stop(number), 0)

    def test_stops_with_idle_connections(self):
        server = Annalsd("--drain-timeout", "100")
        with annalsd.Client(server.grpc) as client, annalsd.Gateway(server.gateway) as gateway:
            client.append(annalsd.arn("a"), [started()])
            gateway.history(annalsd.arn("a"))
            begin = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - begin, 60)

    def test_calls_in_flight_are_finished(self):
        """What is answered is true: stored after OK, not after DRAINING. Who calls only when the
        server has gone gets no answer, and knows nothing."""
        server = Annalsd()
        arns = [annalsd.arn("a%d" % i) for i in range(8)]
        acknowledged = dict.fromkeys(arns, 0)
        refusals = {}
        some = threading.Barrier(len(arns) + 1)

        def append(arn):
            with annalsd.Client(server.grpc) as client:
                try:
                    for i in range(1, 100000):
                        client.append(arn, [started() if i == 1 else passed(i)])
                        acknowledged[arn] = i
                        if i == 20:
                            some.wait(annalsd.WAIT_S)
                except CallError as error:
                    refusals[arn] = error

        threads = [threading.Thread(target=append, args=(arn,)) for arn in arns]
        for thread in threads:
            thread.start()
        some.wait(annalsd.WAIT_S)
        self.assertEqual(server.stop(), 0)
        for thread in threads:
            thread.join()
        self.assertEqual(set(refusals), set(arns))
        self.assertLessEqual({(e.code, e.reason) for e in refusals.values()},
                             {(grpc.StatusCode.UNAVAILABLE, "DRAINING"),
                              (grpc.StatusCode.UNAVAILABLE, None),
                              (grpc.StatusCode.CANCELLED, None)})
        server.start()
        with annalsd.Client(server.grpc) as client:
            for arn in arns:
                stored = [e.id for e in client.history(arn)]
                self.assertEqual(stored, list(range(1, len(stored) + 1)))
                self.assertIn(len(stored) - acknowledged[arn],
                              (0,) if refusals[arn].reason else (0, 1))
        self.assertEqual(server.stop(), 0)

    def test_slow_reader_gets_its_answer(self):
        server = Annalsd()
        arn = annalsd.arn("big")
        with annalsd.Client(server.grpc) as client:
            for first in range(1, 14, 13):
                client.append(arn, annalsd.simple_history(13, first, payload="x" * 250000))
        host, _, port = server.gateway.rpartition(":")
        body = json.dumps({"executionArn": arn}).encode()
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.settimeout(annalsd.WAIT_S)
            reader.connect((host, int(port)))
            reader.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-amz-json-1.0\r\n"
                           b"X-Amz-Target: AWSStepFunctions.GetExecutionHistory\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body) + body)
            answer = reader.recv(1000)
            server.process.send_signal(signal.SIGTERM)
            while part := reader.recv(1 << 16):
                answer += part
        head, _, content = answer.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
        self.assertEqual(len(json.loads(content)["events"]), 13)
        self.assertEqual(server.stop(), 0)

    def test_logs_are_json_without_payloads(self):
        marker = annalsd.MARKER
        with Annalsd("--log-level", "debug") as server, annalsd.Client(server.grpc) as client, \
                annalsd.Gateway(server.gateway) as gateway:
            arn = annalsd.arn("a")
            client.append(arn, [started(input=marker), passed(2, payload=marker)])
            client.history(arn)
            gateway.history(arn)
            for call in (lambda: client.append(arn, [passed(2, payload=marker + "2")]),
                         lambda: client.append(arn, [passed(3, payload=marker + "\0")]),
                         lambda: client.append(arn, [passed(3, name=marker * 10)]),
                         lambda: client.append(arn, [passed(7, payload=marker)])):
                self.assertRaises(CallError, call)
            gateway.error({"executionArn": arn, "maxResults": marker})
            gateway.error(marker.encode())
            gateway.error({"executionArn": arn, "nextToken": marker})
        lines = server.log().splitlines()
        self.assertGreaterEqual(len(lines), 7)
        for line in lines:
            record = json.loads(line)
            self.assertLessEqual({"time", "level", "message"}, set(record), line)
            self.assertRegex(record["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertNotIn(marker, line)
        reasons = [json.loads(line).get("reason") for line in lines]
        for reason in "EVENT_CONFLICT", "INVALID_EVENT", "LIMIT_EXCEEDED", "EVENT_GAP":
            self.assertEqual(reasons.count(reason), 1, reason)

    def test_log_level(self):
        with Annalsd("--log-level", "error") as server, annalsd.Client(server.grpc) as client:
            self.assertRaises(CallError, lambda: client.page(annalsd.arn("nobody")))
        self.assertEqual(server.log(), "")


class CliTest(unittest.TestCase):
    """Exit statuses of `annals`."""

    def test_failed(self):
        with Annalsd() as server:
            done = annalsd.run_cli("--endpoint", server.grpc, "history", annalsd.arn("nobody"),
                                   check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("EXECUTION_DOES_NOT_EXIST", done.stderr)

    def test_usage(self):
        for args in [], ["forget"], ["history"], ["import"], ["history", "a", "b"], \
                ["history", "--no-such-option", "a"], ["history", "--max-results", "1001", "a"]:
            with self.subTest(args):
                self.assertEqual(annalsd.run_cli(*args, check=False).returncode, 2)

    def test_help(self):
        for args in ["--help"], ["import", "--help"], ["history", "--help"]:
            self.assertNotEqual(annalsd.run_cli(*args).stdout, "")


if __name__ == "__main__":
    unittest_xml.main()
