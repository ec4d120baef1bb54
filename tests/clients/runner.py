"""Runs the clients against one annalsd, and counts what they report.

Usage: runner.py [CLIENT…]
"""

import collections
import contextlib
import os
import re
import sys
import time

from tests.clients import reference
from tests.clients.client import CLIENTS, FOLDER, ROOT, Failure, Skip, read
from tests.e2e import annalsd

HISTORIES = os.path.join(ROOT, "tests/data/histories")
EXECUTIONS = ("all_types", "thousand_events")
CHECKS = re.findall(r"^\w+$", read(os.path.join(FOLDER, "checks.txt")), re.M)
WHY_MAX = 1000  # characters
REPORT = re.compile(r"(ok|not ok|skip) (\w+)(?:: (.*))?")


CREDENTIALS = """
[clients]
access_key_id = AKIACLIENTS
secret_access_key = secret
access_key_id = ASIACLIENTS
secret_access_key = temporary
session_token = token
access_key_id = AKIAWRONG
secret_access_key = right
allow = states:* on arn:aws:states:us-east-1:123456789012:execution:Machine:*
"""
HOUR_AHEAD = {"LD_PRELOAD": "/usr/$LIB/faketime/libfaketimeMT.so.1", "FAKETIME": "+1h",
              "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def start(stack, env=None):
    """Starts an annalsd with the histories. Returns the URL of its gateway."""
    path = os.path.join(annalsd.new_dir(), "credentials")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as f:
        f.write(CREDENTIALS)
    server = stack.enter_context(annalsd.Annalsd("--credentials-file", path, "--region",
                                                 "us-east-1", env=env))
    annalsd.run_cli("--endpoint", server.grpc, "import", "--arn-prefix", annalsd.ARN_PREFIX,
                    *(os.path.join(HISTORIES, name + ".json") for name in EXECUTIONS))
    return "http://" + server.gateway


@contextlib.contextmanager
def serve():
    """The servers. Gives what programs need to find them."""
    with contextlib.ExitStack() as stack:
        yield {
            "AWS_ENDPOINT_URL": start(stack),
            "ANNALS_AHEAD": start(stack, HOUR_AHEAD),
            "ANNALS_REFERENCE": stack.enter_context(reference.serve(HISTORIES)),
            "AWS_ACCESS_KEY_ID": "AKIACLIENTS",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }


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


def attempt(client, places):
    """Says how one client fares. Returns the verdicts, one for each check."""
    begin = time.monotonic()
    try:
        env = client.prepare()
        prepared = time.monotonic()
        version, verdicts = judge(client.run(env, places))
    except (Skip, Failure) as error:
        verdict = "skip" if isinstance(error, Skip) else "not ok"
        print("%s: %s: %s" % (client.name, verdict, error), flush=True)
        return [verdict] * len(CHECKS)
    print("%s: %s: %d ok in %.1f s, prepared in %.1f s" % (
        client.name, version, sum(verdict == "ok" for verdict, _ in verdicts.values()),
        time.monotonic() - prepared, prepared - begin), flush=True)
    for name, (verdict, why) in verdicts.items():
        if verdict != "ok":
            print("%s: %s %s: %s" % (client.name, verdict, name, (why or "")[:WHY_MAX]), flush=True)
    return [verdict for verdict, _ in verdicts.values()]


def main():
    wanted = sys.argv[1:] or [client.name for client in CLIENTS]
    unknown = set(wanted) - {client.name for client in CLIENTS}
    if unknown:
        sys.exit("there is no client " + ", ".join(sorted(unknown)))
    count = collections.Counter()
    with serve() as places:
        for client in CLIENTS:
            if client.name in wanted:
                count.update(attempt(client, places))
    if count["skip"]:
        print("%d skipped" % count["skip"])
    print("%d passed, %d failed" % (count["ok"], count["not ok"]))
    sys.exit(0 if count["ok"] and not count["not ok"] else 1)


if __name__ == "__main__":
    main()
