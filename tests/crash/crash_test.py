#!/usr/bin/python3
"""Kills under load: what was acknowledged is there, in order, and once, and listed as it is.

By hand, for long: bazel run //tests/crash:crash_test -- --mode lost --kills 200 [--seed N]
"""

import argparse
import random
import sys
import time
import unittest

from tests import unittest_xml
from tests.crash import faults
from tests.crash.activities import NAMES
from tests.crash.harness import MODES, Harness
from tests.e2e import annalsd

KILLS = 3 if annalsd.is_slow_build() else 20


def run(mode, kills, seed=None, loads=1, activities=()):
    begin = time.monotonic()
    harness = Harness(mode, seed or random.SystemRandom().getrandbits(32), loads, activities)
    try:
        while harness.kills < kills:
            harness.cycle()
    finally:
        harness.close()
    print("%s, %.0f s" % (harness.summary(), time.monotonic() - begin), file=sys.stderr, flush=True)


class CrashTest(unittest.TestCase):
    def test_kill(self):
        run("kill", KILLS)

    def test_lost_page_cache(self):
        run("lost", 3, activities=NAMES)

    def test_torn_page_cache(self):
        run("torn", 3, activities=NAMES)


class SealTest(unittest.TestCase):
    """An append that seals a run, hit at each step of its write: it is there whole, or not at all."""

    def check(self, rule, lose, before, append):
        disk = faults.Disk()
        server = annalsd.Annalsd("--log-level", "error", data_dir=disk.root + "/data",
                                 env=disk.environment())
        self.addCleanup(server.kill)
        arn = annalsd.arn("a")
        with annalsd.Client(server.grpc) as client:
            for event in before:
                client.append(arn, [event])
            disk.set_rules(rule)
            with self.assertRaises(annalsd.CallError) as caught:
                client.append(arn, append)
            self.assertIsNone(caught.exception.reason)
        server.kill()
        if lose:
            disk.cut()
        disk.forget()
        server.start()
        with annalsd.Client(server.grpc) as client:
            stored = client.history(arn)
            self.assertIn(stored, (before, before + append))
            if "done" in rule and "sync" in rule or "write *.log 1 done" in rule and not lose:
                self.assertEqual(stored, before + append)
            client.append(arn, append)
            self.assertEqual(client.history(arn, max_results=1000), before + append)
            self.assertEqual(client.history(arn, max_results=1000, reverse_order=True),
                             (before + append)[::-1])

    def test_the_hundredth_event(self):
        before, append = annalsd.simple_history(99), annalsd.simple_history(3, first=100)
        for lose, rule in enumerate(("write *.log 1 die", "write *.log 1 half,die",
                                     "write *.log 1 done,die")):
            with self.subTest(rule):
                self.check(rule, bool(lose), before, append)

    def test_64_kib(self):
        before = annalsd.simple_history(4, payload="x" * 21000)
        append = annalsd.simple_history(2, first=5, payload="y" * 3000)
        for lose, rule in ((False, "write *.log 1 half,die"), (True, "sync *.log 1 die"),
                           (True, "sync *.log 1 done,die")):
            with self.subTest(rule):
                self.check(rule, lose, before, append)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        unittest_xml.main()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=MODES, default="lost")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--loads", type=int, default=2)
    parser.add_argument("--activities", nargs="*", choices=sorted(NAMES), default=sorted(NAMES))
    run(**vars(parser.parse_args()))
