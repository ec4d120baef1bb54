"""The contract: what buf says of it, by proto/buf.yaml, alone and beside what clients have."""

import dataclasses
import os

from tests.clients.client import CACHE, ROOT, Client, Failure, Skip

CHECKS = {"lint": ("./buf", "lint", "proto"),
          "breaking": ("./buf", "breaking", "proto", "--against", "proto/release.binpb")}
COMPILE_S = 1800


@dataclasses.dataclass(frozen=True)
class Contract(Client):
    """What checks the contract."""

    @property
    def sources(self):
        return {os.path.join(ROOT, "proto"): os.path.join(CACHE, self.name, "proto")}

    def attempt(self):
        """Says how the contract fares. Returns the verdicts, one for each check."""
        try:
            env = self.prepare()
        except (Skip, Failure) as error:
            verdict = "skip" if isinstance(error, Skip) else "not ok"
            print("%s: %s: %s" % (self.name, verdict, error), flush=True)
            return [verdict] * len(CHECKS)
        return [self.check(env, name) for name in CHECKS]

    def check(self, env, name):
        try:
            self.execute(CHECKS[name], env, COMPILE_S)
        except Failure as failure:
            print("%s: not ok %s: %s" % (self.name, name, failure), flush=True)
            return "not ok"
        print("%s: ok %s" % (self.name, name), flush=True)
        return "ok"


CONTRACTS = (
    Contract("buf", folder="", program=(), tools=("go",), least=(1, 26, 7), version="version",
             fetch=("sh", "-c", "GOBIN=$PWD go install github.com/bufbuild/buf/cmd/buf@v1.75.0"),
             fetch_s=COMPILE_S),
)
