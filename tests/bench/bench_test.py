#!/usr/bin/python3
"""Runs every figure for a moment, so that the benchmark cannot rot. It measures nothing."""

import json
import os
import subprocess
import tempfile
import unittest

from tests import unittest_xml

BENCH = os.environ["BENCH"]
WAIT_S = 600


def run(*options):
    return subprocess.run(["/usr/bin/python3", BENCH, "--bin", ".", *options], timeout=WAIT_S,
                          stdout=subprocess.PIPE, text=True, check=True).stdout


def is_sanitized():
    with open("server/annalsd", "rb") as f:
        binary = f.read()
    return b"libasan.so" in binary or b"libtsan.so" in binary


@unittest.skipIf(is_sanitized(), "load generators hold what they hold to the end, which is a leak")
class BenchTest(unittest.TestCase):
    def test_every_figure(self):
        # db_bench takes seconds to start its threads, and valgrind for all.
        but = ("--but", "append_1", "--but", "append_1_c256", "--but", "instructions", "--but",
               "system_calls")
        names = [line.split()[0] for line in run("--list", *but).splitlines()]
        with tempfile.TemporaryDirectory() as out:
            text = run("--rounds", "1", "--seconds", "0.02", "--scale", "0.0001", "--out", out,
                       *but)
            with open(os.path.join(out, "results.json"), encoding="utf-8") as f:
                results = json.load(f)
        measured = [figure["name"] for figure in results["figures"] + results["facts"]]
        skipped = [figure["name"] for figure in results["skipped"]]
        self.assertCountEqual(measured + skipped, names)
        for figure in results["figures"]:
            self.assertGreater(figure["baseline"]["min"], 0, figure["name"])
            self.assertGreater(figure["subject"]["min"], 0, figure["name"])
            self.assertIn("\n%s " % figure["name"], text)
        self.assertIn("grpc_page100", measured)
        self.assertIn("\nfact memory connections 10.0\n", text)

    def test_a_name_that_is_none(self):
        done = subprocess.run(["/usr/bin/python3", BENCH, "--bin", ".", "--only", "nothing"],
                              timeout=WAIT_S, stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("grpc_page100 ", done.stdout)


if __name__ == "__main__":
    unittest_xml.main()
