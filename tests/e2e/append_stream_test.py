#!/usr/bin/python3
"""The C client's append stream goes on through restarts and kills: every append is there, once.

ANNALS_STREAM_EVENTS makes it last longer.
"""

import os
import subprocess
import sys
import unittest

from tests import unittest_xml
from tests.e2e import annalsd

LOAD = os.environ.get("ANNALS_APPEND_LOAD", "")
EXECUTIONS = 20
EVENTS = int(os.environ.get("ANNALS_STREAM_EVENTS", "60"))
IN_FLIGHT = 64


class AppendStreamTest(unittest.TestCase):
    def setUp(self):
        first = annalsd.Annalsd()
        first.stop()
        # The same port for all that follow.
        self.server = annalsd.Annalsd("--grpc-listen=" + first.grpc, data_dir=first.data_dir)
        self.addCleanup(self.server.stop)

    def disturb(self, appended):
        if appended % 800 == 300:
            self.server.kill()
            self.server.start()
        elif appended % 800 == 700:
            self.server.stop()
            self.server.start()

    def test_through_restarts_and_kills(self):
        command = [LOAD, self.server.grpc, annalsd.ARN_PREFIX + "e", str(EXECUTIONS), str(EVENTS),
                   str(IN_FLIGHT)]
        with subprocess.Popen(command, env=annalsd.environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if line.startswith("appended "):
                    self.disturb(int(line.split()[1]))
            self.assertEqual(process.wait(annalsd.WAIT_S), 0)
        print(line, file=sys.stderr)
        self.assertTrue(line.startswith("appends=%d " % (EXECUTIONS * EVENTS)), line)
        with annalsd.Client(self.server.grpc) as client:
            for e in range(EXECUTIONS):
                ids = [event.id for event in client.history(annalsd.arn("e%d" % e))]
                self.assertEqual(ids, list(range(1, EVENTS + 1)))


if __name__ == "__main__":
    unittest_xml.main()
