#!/usr/bin/python3
"""Options that share out memory, disk and processors."""

import json
import unittest

from tests import unittest_xml
from tests.e2e import annalsd


class ResourcesTest(unittest.TestCase):
    def refused(self, *args):
        done = annalsd.run_server("--data-dir", annalsd.new_dir(), *args)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        return json.loads(done.stderr)["error"]

    def test_out_of_range(self):
        for name, value, least, most in (
                ("memory-budget", 255, 256, 1048576), ("memory-budget", 1048577, 256, 1048576),
                ("store-cache", 1048577, 0, 1048576), ("store-memtables", 1048577, 0, 1048576),
                ("store-block-size", 0, 1, 1024), ("store-blob-size", 1048577, 0, 1048576),
                ("store-background-jobs", 257, 0, 256),
                ("store-background-rate", 1048577, 0, 1048576),
                ("store-open-files", 63, 64, 1048576), ("store-threads", 0, 1, 256)):
            with self.subTest(name=name, value=value):
                self.assertEqual(self.refused("--%s" % name, str(value)),
                                 "--%s: %d is not from %d to %d" % (name, value, least, most))

    def test_compression(self):
        self.assertEqual(self.refused("--store-compression", "gzip"),
                         "--store-compression: 'gzip' is not zstd, lz4 or none")

    def test_every_setting_serves(self):
        """What one setting wrote, the next reads: they may change with each start."""
        server = annalsd.Annalsd()
        arns = []
        for args in ((), ("--memory-budget", "256"), ("--store-cache", "8", "--store-memtables", "16"),
                     ("--store-block-size", "4"), ("--store-blob-size", "1"), (),
                     ("--store-compression", "lz4"), ("--store-compression", "none"),
                     ("--store-background-jobs", "4", "--store-background-rate", "50"),
                     ("--store-open-files", "64", "--store-threads", "1")):
            with self.subTest(args=args):
                server.stop()
                server.args = args
                server.start()
                with annalsd.Client(server.grpc) as client:
                    arns.append(annalsd.arn("a%d" % len(arns)))
                    client.append(arns[-1], annalsd.simple_history(100, payload="x" * 2000))
                    for arn in arns:
                        self.assertEqual(len(client.history(arn)), 100)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest_xml.main()
