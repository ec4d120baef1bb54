#!/usr/bin/python3
"""The group "library" of deploy/packages.sh is what the programs link: the image has no more."""

import os
import platform
import re
import shutil
import subprocess
import unittest

from tests import unittest_xml
from tests.e2e import annalsd

NEEDED = re.compile(r"^\s+NEEDED\s+(\S+)$", re.M)
# Of the C library, the compiler and the sanitizers.
ELSEWHERE = {"libc6", "libgcc-s1", "libasan8", "libubsan1", "libtsan2"}


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


@unittest.skipUnless(shutil.which("objdump") and shutil.which("dpkg-query"),
                     "this is not Debian, or binutils are not installed")
class LibrariesTest(unittest.TestCase):
    def test_library_group_is_what_is_linked(self):
        names = set()
        for program in annalsd.SERVER, annalsd.CLI:
            names |= set(NEEDED.findall("\n".join(lines("objdump", "-p", os.path.realpath(program)))))
        found = lines("dpkg-query", "--search", *sorted("*/%s-linux-gnu/%s" % (platform.machine(), name)
                                                          for name in names))
        linked = {line.partition(":")[0] for line in found}
        self.assertEqual(linked - ELSEWHERE, set(lines("deploy/packages.sh", "--list", "library")))


if __name__ == "__main__":
    unittest_xml.main()
