"""The server is stopped and started anew under load: who follows the recommended settings of gRPC
clients, or of AWS's, sees no call fail."""

import os
import signal
import threading
import time
import unittest

import grpc

from tests.deploy import container, manifests
from tests.deploy.pod import Pod
from tests.e2e import annalsd, aws
from tests.e2e.annalsd import passed, started

SERVICE_CONFIG = "proto/annals/v1/history_service_config.json"
# As README.md recommends for AWS's clients: AWS_RETRY_MODE and AWS_MAX_ATTEMPTS.
AWS_RETRIES = {"mode": "standard", "total_max_attempts": 10}
CLIENTS = 8
AWS_CLIENTS = 4
RESTARTS = 2
# Until a pod that has gone is there again: scheduling, volume and image take a while.
AWAY_S = float(os.environ.get("ANNALS_AWAY_S", "2"))


class Load(threading.Thread):
    """Calls two operations, over and over, with no care for failures of its own."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.ended = threading.Event()
        self.turns = 0
        self.slowest_s = 0
        self.problem = None

    def turn(self):
        raise NotImplementedError

    def run(self):
        try:
            while not self.ended.is_set():
                begin = time.monotonic()
                self.turn()
                self.turns += 1
                self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
        except Exception as error:  # pylint: disable=broad-except
            self.problem = error


class GrpcLoad(Load):
    """Appends one event after the other and reads it back."""

    def __init__(self, name, service_config):
        super().__init__(name)
        self.client = annalsd.Client("127.0.0.1:50051")
        self.client.channel.close()
        self.client.channel = grpc.insecure_channel("127.0.0.1:50051", [
            ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0),
            ("grpc.service_config", service_config)])

    def turn(self):
        event_id = self.turns + 1
        self.client.append(annalsd.arn(self.name),
                           [started() if event_id == 1 else passed(event_id)], timeout=None)
        (last,) = self.client.page(annalsd.arn(self.name), max_results=1, reverse_order=True).events
        assert last.id == event_id, (last.id, event_id)


class AwsLoad(Load):
    """Reads a history, of which others append, and the list that it is in."""

    def __init__(self, name):
        super().__init__(name)
        self.client = aws.boto3_client("127.0.0.1:8083", AWS_RETRIES)
        self.last_id = 0

    def turn(self):
        answer = self.client.get_execution_history(executionArn=annalsd.arn(self.name), maxResults=1,
                                                   reverseOrder=True)
        assert answer["events"][0]["id"] >= self.last_id, (answer, self.last_id)
        self.last_id = answer["events"][0]["id"]
        executions = self.client.list_executions(stateMachineArn=annalsd.MACHINE_ARN)["executions"]
        assert len(executions) == CLIENTS, executions


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
        loads = [GrpcLoad("a%d" % i, service_config) for i in range(CLIENTS)]
        for load in loads:
            load.start()
        self.go_on(loads)
        loads += [AwsLoad("a%d" % i) for i in range(AWS_CLIENTS)]
        for load in loads[CLIENTS:]:
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
            load.client.close()
        for kind, some in ("gRPC", loads[:CLIENTS]), ("AWS", loads[CLIENTS:]):
            print("%s: %d calls, the slowest pair took %.1f s" % (
                kind, 2 * sum(load.turns for load in some), max(load.slowest_s for load in some)))

    def go_on(self, loads):
        """Waits until each has done something more, or failed."""
        before = [load.turns for load in loads]
        deadline = time.monotonic() + annalsd.WAIT_S
        for load, count in zip(loads, before):
            while load.turns < count + 10 and load.problem is None:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
