"""The image: what is in it, and that it runs as an arbitrary user who may nothing."""

import os
import re
import signal
import stat
import subprocess
import unittest
import urllib.request

from tests.deploy import container
from tests.deploy.container import Container, bind, spec, volume
from tests.e2e import annalsd
from tests.e2e.annalsd import started

PROGRAMS = "/usr/bin/annalsd", "/usr/bin/annals"
DATA_DIR = "/var/lib/annals"
SIZE_MAX = 160 << 20


def in_image(path):
    return container.ROOTFS + path


def image_spec(*args, data=None, env=(), **more):
    config = container.image_config()
    return spec([*config["Entrypoint"], *args], [*config["Env"], *env],
                [bind(data or volume(), DATA_DIR)], **more)


def get(path):
    with urllib.request.urlopen("http://127.0.0.1:9464" + path, timeout=annalsd.WAIT_S) as answer:
        return answer.status, answer.read()


@unittest.skipUnless(container.ROOTFS, container.PROBLEM)
class ContentTest(unittest.TestCase):
    def installed(self):
        text = subprocess.run(["dpkg-query", "--admindir", in_image("/var/lib/dpkg"), "--show",
                               "--showformat=${Package}\\n"], check=True, capture_output=True,
                              text=True).stdout
        return set(text.split())

    def test_configuration(self):
        config = container.image_config()
        self.assertEqual(config["User"], "10001:10001")
        self.assertEqual(config["Entrypoint"], ["/usr/bin/annalsd"])
        self.assertEqual(config["StopSignal"], "SIGTERM")
        self.assertEqual(set(config["Volumes"]), {DATA_DIR})
        self.assertEqual(set(config["ExposedPorts"]), {"50051/tcp", "8083/tcp", "9464/tcp"})
        labels = {k.rpartition(".")[2]: v for k, v in config["Labels"].items()
                  if k.startswith("org.opencontainers.image.")}
        self.assertEqual((labels["title"], labels["licenses"], labels["revision"]),
                         ("Annals", "Apache-2.0", "tested"))

    def test_nothing_to_build_with(self):
        tools = re.compile(r"(gcc|g\+\+|cpp|binutils|make|bazel.*|.*-dev|openjdk.*|protobuf-compiler)"
                           r"(-\d+)?")
        self.assertEqual([p for p in self.installed() if tools.fullmatch(p)], [])
        self.assertEqual(os.listdir(in_image("/var/lib/apt/lists")), [])
        self.assertEqual(os.listdir(in_image("/tmp")), [])

    def test_programs_belong_to_root(self):
        for path in PROGRAMS:
            info = os.stat(in_image(path))
            self.assertEqual((info.st_uid, stat.S_IMODE(info.st_mode)), (0, 0o755), path)

    def test_size(self):
        size = int(subprocess.run(["du", "--summarize", "--bytes", container.ROOTFS], check=True,
                                  capture_output=True, text=True).stdout.split()[0])
        print("the image has %.0f MB of files" % (size / 1e6))
        self.assertLess(size, SIZE_MAX)


@unittest.skipUnless(container.ROOTFS, container.PROBLEM)
class RunTest(unittest.TestCase):
    def check(self, name):
        with annalsd.Client("127.0.0.1:50051") as client, \
                annalsd.Gateway("127.0.0.1:8083") as gateway:
            client.append(annalsd.arn(name), [started()])
            self.assertEqual(len(gateway.history(annalsd.arn(name))), 1)
        for path in "/livez", "/readyz":
            self.assertEqual(get(path)[0], 200)

    def healthcheck(self, server):
        kind, *command = container.image_config()["Healthcheck"]["Test"]
        return server.execute(*(["/bin/sh", "-c"] if kind == "CMD-SHELL" else []), *command)

    def test_serves_and_keeps_what_it_was_given(self):
        data = volume()
        for name in "a", "b":
            with Container(image_spec("--allow-anonymous", data=data)).ready() as server:
                self.check(name)
                done = self.healthcheck(server)
                self.assertEqual((done.returncode, done.stdout), (0, "SERVING\n"), done.stderr)

    def test_any_user(self):
        """Platforms that give each namespace users of its own run it, too."""
        data = volume(mode=0o700)
        os.chown(data, 54321, 0)
        with Container(image_spec("--allow-anonymous", data=data, user=54321, group=0)).ready():
            self.check("a")

    def test_refuses_those_whom_it_does_not_know(self):
        server = Container(image_spec())
        self.assertEqual(server.wait(), 1)
        self.assertIn("others can reach this address, and anyone who does may read and write", server.log())

    def test_healthcheck_of_one_that_cannot_be_reached(self):
        with Container(image_spec("--allow-anonymous", "--grpc-listen",
                                  "127.0.0.1:50052")).ready() as server:
            self.assertEqual(self.healthcheck(server).returncode, 1)

    def test_healthcheck_while_it_stops(self):
        server = Container(image_spec("--allow-anonymous", "--drain-delay=3600")).ready()
        self.addCleanup(server.stop, signal.SIGKILL)
        server.kill(signal.SIGTERM)
        while True:
            done = self.healthcheck(server)
            if done.returncode != 0:
                break
        self.assertEqual((done.returncode, done.stdout), (1, "NOT_SERVING\n"), done.stderr)

    def test_writes_nowhere_else(self):
        with Container(image_spec("--allow-anonymous")).ready() as server:
            done = server.execute("/bin/sh", "-c", "touch /x /tmp/x /usr/bin/x 2>/dev/null; id -u; "
                                  "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/1/status")
            self.assertEqual(done.stdout.split(), ["10001", "CapBnd:", "0000000000000000",
                                                   "NoNewPrivs:", "1", "Seccomp:", "2"])
            for path in "/x", "/tmp/x", "/usr/bin/x":
                self.assertFalse(os.path.exists(in_image(path)))
