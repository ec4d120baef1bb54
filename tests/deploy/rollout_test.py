"""The server is stopped and started anew under load: who follows the recommended settings of gRPC
clients sees no call fail."""

import os
import signal
import threading
import time
import unittest

import grpc

from tests.deploy import container, manifests
from tests.deploy.pod import Pod
from tests.e2e import annalsd
from tests.e2e.annalsd import passed, started

SERVICE_CONFIG = "proto/annals/v1/history_service_config.json"
CLIENTS = 8
RESTARTS = 2
# Until a pod that has gone is there again: scheduling, volume and image take a while.
AWAY_S = float(os.environ.get("ANNALS_AWAY_S", "4"))


class Load(threading.Thread):
    """Appends one event after the other and reads it back, with no care for failures of its own."""

    def __init__(self, name, service_config):
        super().__init__()
        self.name = name
        self.service_config = service_config
        self.ended = threading.Event()
        self.appended = 0
        self.slowest_s = 0
        self.problem = None

    def call(self, client):
        event_id = self.appended + 1
        begin = time.monotonic()
        client.append(annalsd.arn(self.name), [started() if event_id == 1 else passed(event_id)],
                      timeout=None)
        self.appended = event_id
        (last,) = client.page(annalsd.arn(self.name), max_results=1, reverse_order=True).events
        assert last.id == event_id, (last.id, event_id)
        self.slowest_s = max(self.slowest_s, time.monotonic() - begin)

    def run(self):
        with annalsd.Client("127.0.0.1:50051") as client:
            client.channel.close()
            client.channel = grpc.insecure_channel("127.0.0.1:50051", [
                ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0),
                ("grpc.service_config", self.service_config)])
            try:
                while not self.ended.is_set():
                    self.call(client)
            except Exception as error:  # pylint: disable=broad-except
                self.problem = error


@unittest.skipUnless(manifests.KUSTOMIZE, "neither kubectl nor Go is there")
@unittest.skipUnless(container.ROOTFS, container.PROBLEM)
class RolloutTest(unittest.TestCase):
    def start(self, claims):
        objects = manifests.render("overlays/single-node")
        pod = Pod(objects, manifests.find(objects, "StatefulSet", "annals"), {}, claims)
        running = pod.run()
        self.addCleanup(running.stop, signal.SIGKILL)
        pod.wait_for("readinessProbe")
        return running

    def test_no_call_fails(self):
        with open(SERVICE_CONFIG, encoding="utf-8") as f:
            service_config = f.read()
        claims = {"data": container.volume()}
        running = self.start(claims)
        loads = [Load("a%d" % i, service_config) for i in range(CLIENTS)]
        for load in loads:
            load.start()
        for _ in range(RESTARTS):
            self.go_on(loads)
            self.assertEqual(running.stop(), 0, running.log())
            time.sleep(AWAY_S)
            running = self.start(claims)
        self.go_on(loads)
        for load in loads:
            load.ended.set()
        for load in loads:
            load.join(annalsd.WAIT_S)
            self.assertIsNone(load.problem)
        print("%d calls, the slowest pair took %.1f s" % (
            2 * sum(load.appended for load in loads), max(load.slowest_s for load in loads)))

    def go_on(self, loads):
        """Waits until each has done something more, or failed."""
        before = [load.appended for load in loads]
        deadline = time.monotonic() + annalsd.WAIT_S
        for load, count in zip(loads, before):
            while load.appended < count + 10 and load.problem is None:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
