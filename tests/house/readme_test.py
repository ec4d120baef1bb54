#!/usr/bin/python3
"""What the README repeats from tables in the code stands there as the code has it."""

import os
import re
import subprocess
import unittest

from tests import unittest_xml

GRPC_CODES = {
    1: "CANCELLED",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    15: "DATA_LOSS",
    16: "UNAUTHENTICATED",
}
METRIC = re.compile(r'ANNALS_METRIC\(\w+,\s*(\w+),\s*\w+,\s*"(\w+)",\s*"([\w,]*)",\s*"([^"]*)"\)')
REASON = re.compile(r'ANNALS_REASON\((\w+),\s*(\d+),\s*"(\w*)",\s*(\d+),\s*(-?\d+),\s*"([^"]*)"\)')


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def reason_row(name, grpc, aws, http, retry_ms, meaning):
    retry = {"-1": "–", "0": "as told"}.get(retry_ms, "%g s" % (int(retry_ms) / 1000))
    return "| %s | %s | %s | %s | %s | %s |" % (
        name, GRPC_CODES[int(grpc)], aws or "–", http if aws else "–", retry, meaning)


def anchors(text):
    """What links may name of a document: its headings, as they are known by."""
    return {re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
            for line in text.splitlines() if line.startswith("#")}


class ReadmeTest(unittest.TestCase):
    def setUp(self):
        self.readme = read("README.md")

    def test_errors(self):
        table = read("server/history/reason.def")
        reasons = REASON.findall(table)
        self.assertEqual(len(reasons), table.count("ANNALS_REASON(") - 1)
        rows = "\n".join(reason_row(*reason) for reason in reasons)
        self.assertIn("|---|---|---|---|---|---|\n" + rows + "\n\n", self.readme)

    def test_actions(self):
        actions = re.findall(r'ANNALS_ACTION\(\w+, "([^"]+)"\)', read("server/history/action.def"))
        self.assertEqual([a for a in actions if "`%s`" % a not in self.readme], [])
        self.assertNotEqual(actions, [])

    def test_metrics(self):
        table = read("server/ops/metric.def")
        metrics = METRIC.findall(table)
        self.assertEqual(len(metrics), table.count("ANNALS_METRIC(") - 1)
        rows = "\n".join("| `%s` | %s | %s | %s |" % (
            name, kind.lower(), labels.replace(",", ", ") or "–", text)
            for kind, name, labels, text in metrics)
        self.assertIn("|---|---|---|---|\n" + rows + "\n\n", read("deploy/README.md"))

    def test_help(self):
        text = subprocess.run([os.environ["ANNALSD"], "--help"], check=True, capture_output=True,
                              text=True, env={"LC_ALL": "C.UTF-8"}).stdout
        self.assertIn("```\n" + text.strip() + "\n```\n", self.readme)

    def test_links(self):
        for path, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", self.readme):
            self.assertTrue(os.path.exists(path or "README.md"), path)
            if anchor:
                self.assertIn(anchor, anchors(read(path) if path else self.readme))

    def test_links_of_the_guide(self):
        for anchor in re.findall(r"\]\(\.\./README\.md#([^)]*)\)", read("deploy/README.md")):
            self.assertIn(anchor, anchors(self.readme))


if __name__ == "__main__":
    unittest_xml.main()
