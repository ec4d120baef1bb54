#!/usr/bin/python3
"""The sample of a client in the README, run as it stands there but for where things are."""

import os
import re
import subprocess
import unittest

from tests import unittest_xml
from tests.e2e import annalsd

HEADING = "From Python, "
PRINTED = r"""last_event_id: 1
appended_count: 1

events \{
  timestamp \{
    seconds: \d+
    nanos: \d+
  \}
  type: HISTORY_EVENT_TYPE_EXECUTION_STARTED
  id: 1
  execution_started_event_details \{
    input: "\{\}"
  \}
\}

"""


class SampleTest(unittest.TestCase):
    def block(self, places):
        """The first block of commands below the heading."""
        with open("README.md", encoding="utf-8") as f:
            text = f.read().partition("\n" + HEADING)[2]
        block = re.search(r"^```sh\n(.*?)^```$", text, re.M | re.S)[1]
        for there, here in places.items():
            self.assertIn(there, block)
            block = block.replace(there, here)
        return block

    def test_python(self):
        server = annalsd.Annalsd()
        self.addCleanup(server.stop)
        block = self.block({
            "127.0.0.1:50051": server.grpc,
            "/tmp/annals-python": os.path.join(annalsd.new_dir(), "python"),
            "timeout=10": "timeout=%d" % annalsd.WAIT_S,
        })
        done = subprocess.run(["sh", "-ec", block], env=annalsd.environment(),
                              timeout=2 * annalsd.WAIT_S, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\A%s\Z" % PRINTED)


if __name__ == "__main__":
    unittest_xml.main()
