#!/usr/bin/python3
"""The alert rules: valid, tested, and each with what to do in the operator's guide."""

import os
import re
import shutil
import subprocess
import unittest

from tests import unittest_xml

RULES = "deploy/prometheus/alerts.yaml"
TESTS = "tests/monitoring/alerts_test.yaml"

# When it was firing first, less when it was pending first.
WINDOW_TEST = """  - name: {name} waits
{series}    promql_expr_test:
      - expr: |
          min(min_over_time(timestamp(ALERTS{{alertname="{name}",alertstate="firing"}})[{time}:{step}m]))
            - min(min_over_time(timestamp(ALERTS{{alertname="{name}",alertstate="pending"}})[{time}:{step}m]))
        eval_time: {time}
        exp_samples:
          - value: {seconds}
"""


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def promtool(*args):
    done = subprocess.run(["promtool", *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class RulesTest(unittest.TestCase):
    def setUp(self):
        self.alerts = dict(re.findall(r"- alert: (\w+)\n(.*?)(?=\n      - alert|\Z)", read(RULES), re.S))
        self.assertGreater(len(self.alerts), 20)

    def test_each_tells_what_and_what_to_do(self):
        guide = read("deploy/README.md")
        headings = [heading.lower() for heading in re.findall(r"^### (\w+)$", guide, re.M)]
        for name, text in self.alerts.items():
            self.assertRegex(text, r"severity: (page|ticket)\n", name)
            self.assertRegex(text, r'summary: ".+"\n', name)
            self.assertRegex(text, r'description: ".+"\n', name)
            self.assertRegex(text, r"runbook: deploy/README.md#%s$" % name.lower(), name)
            self.assertIn(name.lower(), headings)
        about = [heading for heading in headings if heading.startswith("annals")]
        self.assertEqual(sorted(about), sorted(name.lower() for name in self.alerts))

    def test_each_metric_is_one(self):
        metrics = set(re.findall(r"^\| `(\w+)` \|", read("deploy/README.md"), re.M))
        used = set(re.findall(r"\b((?:annals|process)_\w+)", read(RULES)))
        self.assertGreater(len(used), 20)
        self.assertEqual({re.sub("_bucket$", "", name) for name in used} - metrics, set())

    def test_each_is_tested(self):
        tests = read(TESTS)
        for name in self.alerts:
            self.assertIn("name: %s fires\n" % name, tests)
            self.assertIn("name: %s stays silent\n" % name, tests)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_each_waits_as_long_as_it_says(self):
        """Between pending and firing lies the rule's `for:`, whatever its expression does meanwhile."""
        sections = re.findall(
            r"  - name: (\w+) fires\n(.*?)    promql_expr_test:\n.*?eval_time: (\w+)\n", read(TESTS), re.S)
        self.assertEqual({name for name, _, _ in sections}, set(self.alerts))
        tests = {1: [], 5: []}  # by how often rules are asked, in minutes: rarely is cheap
        for name, series, time in sections:
            window = re.search(r"^ +for: (\d+)([mh])$", self.alerts[name], re.M)
            if window:
                minutes = int(window[1]) * {"m": 1, "h": 60}[window[2]]
                step = 1 if minutes % 5 else 5
                tests[step].append(WINDOW_TEST.format(name=name, series=series, time=time, step=step,
                                                      seconds=60 * minutes))
        self.assertGreater(sum(map(len, tests.values())), 15)
        paths = [self.write_window_tests(step, some) for step, some in tests.items()]
        status, output = promtool("test", "rules", *paths)
        self.assertEqual(status, 0, output)

    def write_window_tests(self, step, tests):
        path = os.path.join(os.environ["TEST_TMPDIR"], "windows_%d.yaml" % step)
        with open(path, "w", encoding="utf-8") as f:
            f.write("rule_files: [%s]\nevaluation_interval: %dm\ntests:\n%s" % (
                os.path.abspath(RULES), step, "".join(tests)))
        return path

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool(self):
        status, output = promtool("check", "rules", RULES)
        self.assertEqual(status, 0, output)
        status, output = promtool("test", "rules", TESTS)
        self.assertEqual(status, 0, output)


if __name__ == "__main__":
    unittest_xml.main()
