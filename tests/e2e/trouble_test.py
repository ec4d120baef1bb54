#!/usr/bin/python3
"""Clients that cancel, have no time, and lose their connections, all at once.

ANNALS_TROUBLE_S makes it last longer.
"""

import collections
import os
import random
import selectors
import socket
import struct
import sys
import threading
import time
import unittest

import grpc

from tests import unittest_xml
from tests.e2e import annalsd

DURATION_S = float(os.environ.get("ANNALS_TROUBLE_S", "4"))
CALLS = 256
CHANNELS = 16
STOP_S = 60  # less than --drain-timeout

# google.rpc codes that such clients may see; the others would be the server's fault.
EXPECTED = {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ALREADY_EXISTS,
            grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNIMPLEMENTED,
            grpc.StatusCode.NOT_FOUND}


class Network(threading.Thread):
    """Passes bytes on to the server, and resets connections now and then."""

    def __init__(self, address, dice):
        super().__init__(daemon=True)
        host, _, port = address.rpartition(":")
        self.server = (host, int(port))
        self.dice = dice
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.peers = {}
        self.resets = 0
        self.over = False

    def stop(self):
        self.over = True
        self.join()
        for end in [*self.peers, self.listener]:
            end.close()

    def accept(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(self.server)
        for end, peer in ((client, server), (server, client)):
            self.peers[end] = peer
            self.selector.register(end, selectors.EVENT_READ)

    def reset(self, end):
        for each in (end, self.peers[end]):
            self.selector.unregister(each)
            del self.peers[each]
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.close()

    def pass_on(self, end):
        try:
            piece = end.recv(65536)
            self.peers[end].sendall(piece)
        except OSError:
            piece = b""
        if not piece:
            self.reset(end)

    def run(self):
        next_reset = time.monotonic() + 0.2
        while not self.over:
            for key, _ in self.selector.select(0.05):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.peers:
                    self.pass_on(key.fileobj)
            if time.monotonic() > next_reset and self.peers:
                self.reset(self.dice.choice(list(self.peers)))
                self.resets += 1
                next_reset = time.monotonic() + self.dice.random() * 0.2


class TroubleTest(unittest.TestCase):
    def setUp(self):
        seed = int.from_bytes(os.urandom(4), "big")
        print("seed %d" % seed, file=sys.stderr)
        self.dice = random.Random(seed)
        self.server = annalsd.Annalsd("--log-level", "error", "--drain-timeout", "100")
        self.addCleanup(self.server.stop)
        self.arns = [annalsd.arn("e%d" % i) for i in range(8)]
        with annalsd.Client(self.server.grpc) as client:
            for arn in self.arns:
                client.append(arn, annalsd.simple_history(300))
        self.network = Network(self.server.grpc, self.dice)
        self.network.start()
        self.addCleanup(self.network.stop)
        self.clients = [annalsd.Client(self.network.address) for _ in range(CHANNELS)]
        for client in self.clients:
            self.addCleanup(client.close)
        self.codes = collections.Counter()

    def request(self):
        """A method and the bytes to call it with."""
        arn = self.dice.choice(self.arns)
        kind = self.dice.randrange(10)
        if kind < 6:
            request = annalsd.history_service_pb2.GetExecutionHistoryRequest(
                execution_arn=arn, max_results=self.dice.choice((1, 100, 1000)))
            return "/annals.v1.HistoryService/GetExecutionHistory", request.SerializeToString()
        if kind < 8:
            first = self.dice.choice((1, 200, 301))
            request = annalsd.history_service_pb2.AppendHistoryEventsRequest(
                execution_arn=arn, events=annalsd.simple_history(20, first))
            return "/annals.v1.HistoryService/AppendHistoryEvents", request.SerializeToString()
        if kind < 9:
            request = self.dice.choice((
                annalsd.history_service_pb2.DescribeExecutionRequest(execution_arn=arn),
                annalsd.history_service_pb2.ListExecutionsRequest(
                    state_machine_arn=annalsd.MACHINE_ARN),
                annalsd.history_service_pb2.DeleteExecutionRequest(
                    execution_arn=annalsd.arn("nobody"))))
            method = type(request).__name__[:-len("Request")]
            return "/annals.v1.HistoryService/" + method, request.SerializeToString()
        return self.dice.choice(("/grpc.health.v1.Health/Check", "/x/y")), b""

    def watch(self, channel, timeout):
        request = annalsd.history_service_pb2.WatchExecutionHistoryRequest(
            execution_arn=self.dice.choice(self.arns),
            from_event_id=self.dice.choice((0, 200))).SerializeToString()
        return channel.unary_stream("/annals.v1.HistoryService/WatchExecutionHistory")(
            request, timeout=timeout)

    def append_on_a_stream(self, channel, timeout):
        requests = [annalsd.history_service_pb2.AppendHistoryEventsStreamRequest(append={
            "execution_arn": self.dice.choice(self.arns),
            "events": annalsd.simple_history(20, self.dice.choice((1, 200, 301)))
        }).SerializeToString() for _ in range(self.dice.randrange(6))]
        return channel.stream_stream("/annals.v1.HistoryService/AppendHistoryEventsStream")(
            iter(requests), timeout=timeout)

    def start(self):
        channel = self.dice.choice(self.clients).channel
        timeout = self.dice.choice((0.0005, 0.005, 0.05, annalsd.WAIT_S))
        kind = self.dice.randrange(12)
        if kind == 0:
            call = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=timeout)
        elif kind == 10:
            call = self.watch(channel, timeout)
        elif kind == 11:
            call = self.append_on_a_stream(channel, timeout)
        elif kind == 1:
            questions = iter([b"\x3a\x01*", b"\x22\x18annals.v1.HistoryService"] * 3)
            call = channel.stream_stream(
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")(
                    questions, timeout=timeout)
        else:
            path, request = self.request()
            return channel.unary_unary(path).future(request, timeout=timeout), timeout
        if self.dice.random() < 0.5:
            try:
                next(call)
            except (grpc.RpcError, StopIteration):
                pass
        call.cancel()
        return call, timeout

    def finish(self, call, timeout):
        """Every call ends, in time: this waits for it."""
        if self.dice.random() < 0.3:
            call.cancel()
        code = call.code()
        self.assertFalse(timeout == annalsd.WAIT_S and code == grpc.StatusCode.DEADLINE_EXCEEDED)
        self.codes[code] += 1

    def test_nothing_is_stuck_and_nothing_is_lost(self):
        calls = collections.deque()
        rss = []
        begin = time.monotonic()
        while time.monotonic() < begin + DURATION_S:
            calls.append(self.start())
            if len(calls) > CALLS:
                self.finish(*calls.popleft())
            if len(rss) < 10 * (time.monotonic() - begin) / DURATION_S:
                rss.append(self.server.rss_bytes() >> 20)
        while calls:
            self.finish(*calls.popleft())
        print("%d calls, %d resets, %s\nRSS in MiB: %s" % (
            sum(self.codes.values()), self.network.resets,
            {code.name: count for code, count in self.codes.most_common()}, rss), file=sys.stderr)
        self.assertLessEqual(set(self.codes), EXPECTED)
        self.assertGreater(self.codes[grpc.StatusCode.OK], 0)
        self.assertGreater(self.network.resets, 0)
        if not annalsd.is_slow_build():
            self.assertLess(rss[-1] - rss[2], 64)
        with annalsd.Client(self.server.grpc) as client:
            for arn in self.arns:
                events = [event.id for event in client.history(arn)]
                self.assertEqual(events, list(range(1, len(events) + 1)))
        begin = time.monotonic()
        self.assertEqual(self.server.stop(), 0)
        self.assertLess(time.monotonic() - begin, STOP_S)


if __name__ == "__main__":
    unittest_xml.main()
