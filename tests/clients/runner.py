"""Runs the clients and the examples against annalsd, checks the contract, and counts verdicts.

Usage: runner.py [CLIENT…]
"""

import collections
import contextlib
import os
import re
import sys
import time

from tests.clients.client import CLIENTS, FOLDER, ROOT, Failure, Skip, read
from tests.clients.contract import CONTRACTS, Contract
from tests.clients.examples import EXAMPLES, ExampleServers
from tests.clients.servers import Servers
from tests.data import history_file

HISTORIES = os.path.join(ROOT, "tests/data/histories")
CHECKS = re.findall(r"^\w+$", read(os.path.join(FOLDER, "checks.txt")), re.M)
WHY_MAX = 1000  # characters
REPORT = re.compile(r"(ok|not ok|skip) (\w+)(?:: (.*))?")


def judge(output):
    """The version that a program says, and verdict and reason for each check."""
    version = "no version"
    verdicts = {}
    for line in output.splitlines():
        report = REPORT.fullmatch(line)
        if line.startswith("version "):
            version = line.partition(" ")[2]
        elif not report or report[2] not in CHECKS or report[2] in verdicts:
            raise Failure("it said %r" % line)
        else:
            verdicts[report[2]] = report[1], report[3]
    return version, {name: verdicts.get(name, ("not ok", "not reported")) for name in CHECKS}


def attempt(client, servers):
    """Says how one client fares. Returns the verdicts, one for each check."""
    begin = time.monotonic()
    throttled_count = servers.throttled_count()
    try:
        env = client.prepare()
        prepared = time.monotonic()
        version, verdicts = judge(client.run(env, servers.env))
        if servers.throttled_count() == throttled_count:
            verdicts["throttled"] = "not ok", "the server did not throttle it"
    except (Skip, Failure) as error:
        verdict = "skip" if isinstance(error, Skip) else "not ok"
        print("%s: %s: %s" % (client.name, verdict, error), flush=True)
        return [verdict] * len(CHECKS)
    print("%s: %s: %d ok in %.1f s, prepared in %.1f s" % (
        client.name, version, sum(verdict == "ok" for verdict, _ in verdicts.values()),
        time.monotonic() - prepared, prepared - begin), flush=True)
    unknown = client.unknown(history_file.load(os.path.join(HISTORIES, "all_types.json")))
    if unknown:
        print("%s: compared but for what it is too old for: %s" % (client.name, ", ".join(unknown)))
    for name, (verdict, why) in verdicts.items():
        if verdict != "ok":
            print("%s: %s %s: %s" % (client.name, verdict, name, (why or "")[:WHY_MAX]), flush=True)
    return [verdict for verdict, _ in verdicts.values()]


def attempts(stack):
    """What can be tried: each table, and what starts its servers and says how to try one."""
    def clients():
        servers = stack.enter_context(Servers(HISTORIES))
        return lambda client: attempt(client, servers)
    return ((CONTRACTS, lambda: Contract.attempt), (CLIENTS, clients),
            (EXAMPLES, lambda: ExampleServers(stack).attempt))


def main():
    names = [client.name for client in CONTRACTS + CLIENTS + EXAMPLES]
    unknown = set(sys.argv[1:]) - set(names)
    if unknown:
        sys.exit("there is no client " + ", ".join(sorted(unknown)))
    count = collections.Counter()
    with contextlib.ExitStack() as stack:
        for table, serve in attempts(stack):
            wanted = [client for client in table if client.name in (sys.argv[1:] or names)]
            attempt_one = serve() if wanted else None
            for client in wanted:
                count.update(attempt_one(client))
    if count["skip"]:
        print("%d skipped" % count["skip"])
    print("%d passed, %d failed" % (count["ok"], count["not ok"]))
    sys.exit(0 if count["ok"] and not count["not ok"] else 1)


if __name__ == "__main__":
    main()
