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
from tests.crash.harness import MODES, Harness

KILLS = 4


def run(mode, kills, seed=None, loads=2):
    begin = time.monotonic()
    harness = Harness(mode, seed or random.SystemRandom().getrandbits(32), loads)
    try:
        while harness.kills < kills:
            harness.cycle()
    finally:
        harness.close()
    print("%s, %.0f s" % (harness.summary(), time.monotonic() - begin), file=sys.stderr, flush=True)


class CrashTest(unittest.TestCase):
    def test_kill(self):
        run("kill", KILLS, loads=1)

    def test_lost_page_cache(self):
        run("lost", KILLS, loads=1)

    def test_torn_page_cache(self):
        run("torn", KILLS, loads=1)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        unittest_xml.main()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=MODES, default="lost")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--loads", type=int, default=2)
    run(**vars(parser.parse_args()))
