#!/usr/bin/python3
"""Clients that connect by the thousand and say nothing."""

import resource
import socket
import unittest

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import started

USUAL_LIMIT = 1024  # what shells and services start with
CONNECTIONS = 1200


class LowLimit(annalsd.Annalsd):
    """annalsd as a shell would start it: with few descriptors, which may be raised."""

    def start(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_LIMIT, hard))
            super().start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class ConnectionsTest(unittest.TestCase):
    def setUp(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4 * CONNECTIONS + USUAL_LIMIT:
            self.skipTest("not enough descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.idle = []

    def connect(self, address):
        host, _, port = address.rpartition(":")
        for _ in range(CONNECTIONS):
            self.idle.append(socket.create_connection((host, int(port)), annalsd.WAIT_S))
            self.addCleanup(self.idle[-1].close)

    def check(self, server):
        with annalsd.Client(server.grpc) as client, annalsd.Gateway(server.gateway) as gateway:
            client.append(annalsd.arn("a"), [started()])
            self.assertEqual(len(gateway.history(annalsd.arn("a"))), 1)

    def test_idle_on_the_gateway(self):
        with LowLimit() as server:
            self.connect(server.gateway)
            self.check(server)

    def test_idle_on_grpc(self):
        with LowLimit() as server:
            self.connect(server.grpc)
            self.check(server)


if __name__ == "__main__":
    unittest_xml.main()
