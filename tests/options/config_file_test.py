#!/usr/bin/python3
"""Values of the configuration file that cannot be what was meant."""

import os
import unittest

from tests import unittest_xml
from tests.e2e import annalsd


class ConfigFileTest(unittest.TestCase):
    def refused(self, text):
        path = os.path.join(annalsd.new_dir(), "annalsd.conf")
        with open(path, "wb") as f:
            f.write(text)
        done = annalsd.run_server("--config", path, "--ops-listen", "nowhere")
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        return done.stderr

    def test_backslash_that_begins_no_escape(self):
        # Not the default in its place, which would be somebody else's directory.
        self.assertEqual(
            self.refused(b"[annalsd]\ndata-dir=C:\\data\n"),
            "annalsd: data-dir: the value cannot be read: it is not UTF-8, or a backslash in it "
            "does not begin an escape (\\\\ is a backslash)\nTry annalsd --help.\n")

    def test_not_utf8(self):
        self.assertIn("annalsd: page-token-key-file: the value cannot be read",
                      self.refused(b"[annalsd]\npage-token-key-file=/keys/\xff\n"))


if __name__ == "__main__":
    unittest_xml.main()
