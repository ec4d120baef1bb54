#!/usr/bin/env python3
"""What annalsd fails of h2spec, gRPC's core fails by itself: core_failures.txt has the cases.

A bare server on the same core is asked as well, so that the list stays what its heading says.
h2spec is `h2spec` in the working directory.
"""

import concurrent.futures
import os
import re
import subprocess
import unittest

from tests import unittest_xml
from tests.e2e import annalsd

LIST = os.path.join(os.path.dirname(os.path.realpath(__file__)), "core_failures.txt")
CASE_COUNT = 145
AT_ONCE = 48  # as most do nothing but wait for an answer that does not come
ANSWER_S = 5  # until it is taken not to come
CALLS = 1000  # that a connection of annalsd may have at once: one of the cases wants that exceeded


def known_failures():
    with open(LIST, encoding="utf-8") as f:
        return {line.strip() for line in f if not line.startswith("#")}


def h2spec(*args):
    return subprocess.run(["./h2spec", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=annalsd.WAIT_S).stdout


def cases():
    """All cases: what h2spec knows them by, in one word, and what they do."""
    parts = iter(("generic", "http2", "hpack"))
    found = []
    for line in h2spec("--dryrun").splitlines():
        section = re.match(r" +([\d.]+)\. ", line)
        case = re.match(r" +(\d+): (.*)", line)
        if case:
            found.append("%s/%s/%s %s" % (part, number, case[1], case[2]))
        elif section:
            number = section[1]
        elif line.strip():
            part = next(parts)
    return found


def failures(address):
    """Has h2spec try a server. Returns what it says of the cases that failed."""
    host, _, port = address.rpartition(":")

    def attempt(case):
        return h2spec("--host", host, "--port", port, "--timeout", str(ANSWER_S), case.split()[0])

    todo = cases()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        said = dict(zip(todo, pool.map(attempt, todo)))
    assert len(said) == CASE_COUNT, "%d cases" % len(said)
    return {case: text for case, text in said.items()
            if not re.search(r"^1 tests, (1 passed, 0|0 passed, 1) skipped, 0 failed$", text, re.M)}


class H2specTest(unittest.TestCase):
    def expect_known(self, who, failed):
        known = known_failures()
        for case in sorted(known - set(failed)):
            print("%s does well: %s" % (who, case))
        news = ["%s\n" % case + said.rpartition("\nFailures:")[0]
                for case, said in failed.items() if case not in known]
        self.assertEqual(len(news), 0, "%s fails\n%s" % (who, "\n".join(news)))

    def test_annalsd(self):
        with annalsd.Annalsd() as server:
            self.expect_known("annalsd", failures(server.grpc))

    def test_bare_server(self):
        with subprocess.Popen([os.environ["GRPC_ECHO"], "100", str(CALLS)], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as server:
            try:
                address = server.stdout.readline().strip().partition("grpc=")[2]
                self.expect_known("the bare server", failures(address))
            finally:
                server.kill()


if __name__ == "__main__":
    unittest_xml.main()
