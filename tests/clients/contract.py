"""The contracts: what buf says of Annals', by proto/buf.yaml, alone and beside what clients have;
whether HTTP/2 is as h2spec wants it, but for gRPC's core; whether grpcurl and grpc_health_probe
can do without a .proto; whether OpenTelemetry's own code and its Collector understand spans as
Annals writes them; and whether moto's KMS understands Annals, and boto3 what comes of it."""

import dataclasses
import os
import time

from tests.clients.client import CACHE, ROOT, Client, Failure, Skip

COMPILE_S = 1800
PROGRAMS = ("ANNALS", "ANNALSD", "GRPC_ECHO", "TEST_TMPDIR")


@dataclasses.dataclass(frozen=True)
class Contract(Client):
    """What checks a contract."""

    checks: tuple = ()  # names and commands

    @property
    def sources(self):
        folder = {os.path.join(ROOT, "tests/clients", self.folder): self.directory}
        return {**(folder if self.folder else {}),
                os.path.join(ROOT, "proto"): os.path.join(self.directory, "proto")}

    def attempt(self):
        """Says how the contract fares. Returns the verdicts, one for each check."""
        try:
            env = self.prepare()
        except (Skip, Failure) as error:
            verdict = "skip" if isinstance(error, Skip) else "not ok"
            print("%s: %s: %s" % (self.name, verdict, error), flush=True)
            return [verdict] * len(self.checks)
        return [self.check({**env, **self.more_env()}, *check) for check in self.checks]

    def more_env(self):
        return {}

    def check(self, env, name, command):
        begin = time.monotonic()
        try:
            remarks = self.execute(command, env, COMPILE_S)
        except Failure as failure:
            print("%s: not ok %s: %s" % (self.name, name, failure), flush=True)
            return "not ok"
        for remark in remarks.splitlines():
            print("%s: %s" % (self.name, remark))
        print("%s: ok %s in %.1f s" % (self.name, name, time.monotonic() - begin), flush=True)
        return "ok"


class Official(Contract):
    """A test of this tree that takes packages which Debian has not, or not as new."""

    def more_env(self):
        paths = ["official"] + [os.path.abspath(p) for p in os.environ["PYTHONPATH"].split(":")]
        return {**{name: os.environ[name] for name in PROGRAMS},
                "PYTHONPATH": ":".join(paths)}


CONTRACTS = (
    Contract("buf", folder="", program=(), tools=("go",), least=(1, 26, 7), version="version",
             fetch=("sh", "-c", "GOBIN=$PWD go install github.com/bufbuild/buf/cmd/buf@v1.75.0"),
             fetch_s=COMPILE_S,
             checks=(("lint", ("./buf", "lint", "proto")),
                     ("breaking", ("./buf", "breaking", "proto", "--against",
                                   "proto/release.binpb")))),
    Official("h2spec", folder="h2spec", program=(), tools=("go",), least=(1, 25), version="version",
             fetch=("go", "mod", "download"), fetch_s=COMPILE_S,
             build=("go", "build", "-o", ".", "tool"),
             checks=(("cases", ("/usr/bin/python3", os.path.join(
                 ROOT, "tests/clients/h2spec/h2spec_test.py"))),)),
    Official("grpcurl", folder="grpcurl", program=(), tools=("go",), least=(1, 26),
             version="version", fetch=("go", "mod", "download"), fetch_s=COMPILE_S,
             build=("go", "build", "-o", ".", "tool"),
             checks=tuple((name, ("/usr/bin/python3", os.path.join(
                 ROOT, "tests/clients/grpcurl/%s_test.py" % name))) for name in (
                     "calls", "health"))),
    # The newest one whose code Debian's protobuf can run.
    Official("otlp", folder="", program=(), tools=("/usr/bin/python3",),
             fetch=("sh", "-c", "test -x venv/bin/pip || python3 -m venv venv; venv/bin/pip install "
                                "--quiet --no-deps --upgrade --target official "
                                "opentelemetry-proto==1.27.0"),
             checks=(("spans", ("python3", os.path.join(ROOT, "tests/otlp/spans_test.py"))),)),
    Official("collector", folder="otlp", program=(), tools=("go",), least=(1, 25), version="version",
             fetch=("go", "mod", "download"), fetch_s=COMPILE_S,
             build=("go", "build", "-o", "collector", "."),
             checks=(("spans", ("/usr/bin/python3", os.path.join(
                 ROOT, "tests/clients/otlp/collector_test.py"))),)),
    Official("kms", folder="", program=(), tools=("/usr/bin/python3",),
             fetch=("sh", "-c", "test -x venv/bin/pip || python3 -m venv --system-site-packages "
                                "venv; venv/bin/pip install --quiet --upgrade moto[server]==5.2.5 "
                                "boto3"),
             checks=(("moto", ("venv/bin/python",
                               os.path.join(ROOT, "tests/clients/kms/moto_test.py"))),)),
)
