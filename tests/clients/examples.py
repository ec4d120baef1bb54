"""The examples: client/examples, built and run as its README says, against annalsd.

Each prints the same lines. Without TLS, with TLS and a bearer token, and with TLS and a client
certificate.
"""

import os
import re
import time
from dataclasses import dataclass

from tests.clients.client import CACHE, ROOT, Client, Failure, Skip, read
from tests.e2e import annalsd
from tests.security.certificates import Ca, Files, put

FOLDER = os.path.join(ROOT, "client/examples")
TYPES = ("EXECUTION_STARTED", "PASS_STATE_ENTERED", "PASS_STATE_EXITED", "EXECUTION_SUCCEEDED")
TOKEN = "0Uq2mXv7bearerOfThis"
CREDENTIALS = """
[token]
token = %s
allow = states:* annals:* on *
[certificate]
certificate = URI:spiffe://annals.test/example
allow = states:* annals:* on *
""" % TOKEN


@dataclass(frozen=True)
class Example(Client):
    """An example. Its commands are in the README: to fetch, to build and to run it."""

    @property
    def directory(self):
        return os.path.join(CACHE, self.name, "client/examples", self.folder)

    @property
    def sources(self):
        return {os.path.join(FOLDER, self.folder): self.directory,
                os.path.join(ROOT, "proto"): os.path.join(CACHE, self.name, "proto")}


def example(language, **more):
    block = re.search(r"^## %s\n.*?^```sh\n(.*?)^```$" % language,
                      read(os.path.join(FOLDER, "README.md")), re.M | re.S)
    fetch, *build, program = (("sh", "-ec", part) for part in block[1].split("\n\n"))
    return Example(name="example-" + language, folder=language, fetch=fetch,
                   build=build[0] if build else (), program=program, **more)


def expected(arn):
    """What an example prints."""
    events = ["%d HISTORY_EVENT_TYPE_%s" % event for event in enumerate(TYPES, 1)]
    return ["appended: 3", *("forward: " + e for e in events[:3]),
            *("reverse: " + e for e in events[2::-1]), *("live: " + e for e in events),
            "EVENT_CONFLICT: go on from 5", "EXECUTION_DOES_NOT_EXIST: %s-other" % arn]


class ExampleServers:
    """Where examples are run: how they connect, by name of the check."""

    def __init__(self, stack):
        ca = Ca()
        server = Files(ca.server(), ca)
        client = Files(ca.issue("example", uris=["spiffe://annals.test/example"]))
        credentials = os.path.join(annalsd.new_dir(), "credentials")
        put(credentials, CREDENTIALS.encode())
        os.chmod(credentials, 0o600)
        tls = [*server.options[:4], "--credentials-file", credentials]
        plain, token, certificate = (stack.enter_context(annalsd.Annalsd(*options)).grpc
                                     for options in ((), tls, tls + server.options[4:]))
        self.env = {
            "plaintext": {"ANNALS_ENDPOINT": plain},
            "token": {"ANNALS_ENDPOINT": token, "ANNALS_CA_FILE": server.client_ca,
                      "ANNALS_TOKEN": TOKEN},
            "certificate": {"ANNALS_ENDPOINT": certificate, "ANNALS_CA_FILE": server.client_ca,
                            "ANNALS_CERT_FILE": client.cert, "ANNALS_KEY_FILE": client.key},
        }

    def attempt(self, example):
        """Says how one example fares. Returns the verdicts, one for each way to connect."""
        begin = time.monotonic()
        try:
            env = example.prepare()
        except (Skip, Failure) as error:
            verdict = "skip" if isinstance(error, Skip) else "not ok"
            print("%s: %s: %s" % (example.name, verdict, error), flush=True)
            return [verdict] * len(self.env)
        print("%s: prepared in %.1f s" % (example.name, time.monotonic() - begin), flush=True)
        return [self.run(example, env, check) for check in self.env]

    def run(self, example, env, check):
        arn = annalsd.arn(example.name)
        try:
            printed = example.run(env, {**self.env[check], "ARN": arn}).splitlines()
            if printed != expected(arn):
                raise Failure("it said %r instead of %r" % (printed, expected(arn)))
        except Failure as failure:
            print("%s: not ok %s: %s" % (example.name, check, failure), flush=True)
            return "not ok"
        print("%s: ok %s" % (example.name, check), flush=True)
        return "ok"


EXAMPLES = (
    example("python", tools=("/usr/bin/python3",)),
    example("go", tools=("go", "protoc"), least=(1, 19), version="version", packages="go"),
    example("node", tools=("node", "npm"), least=(18,), packages="javascript"),
    example("cpp", tools=("cmake", "protoc", "grpc_cpp_plugin"), least=(3, 25), packages="cpp"),
    example("java", tools=("java", "mvn"), least=(17,), packages="java"),
    example("rust", tools=("cargo", "cc", "protoc"), least=(1, 85), packages="rust"),
)
