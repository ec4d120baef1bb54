"""Runs the tests of what is deployed, and counts them.

Usage: runner.py [MODULE…]
"""

import fcntl
import glob
import os
import socket
import struct
import subprocess
import sys
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))
SIOCSIFFLAGS = 0x8914
IFF_UP_AND_RUNNING = 0x41
# Run by Bazel.
ELSEWHERE = {"libraries_test", "systemd_test"}


def prepare():
    """Makes this network namespace's loopback usable, and hides what crun cannot do with."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP_AND_RUNNING))
    subprocess.run(["mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"], check=True)


def main():
    if "ANNALS_IMAGE_ROOTFS" in os.environ:
        prepare()
    names = sys.argv[1:] or sorted(
        {os.path.basename(path)[:-3] for path in glob.glob(FOLDER + "/*_test.py")} - ELSEWHERE)
    suite = unittest.defaultTestLoader.loadTestsFromNames(["tests.deploy." + n for n in names])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    print("%d skipped" % skipped)
    print("%d passed, %d failed" % (result.testsRun - failed - skipped, failed))
    sys.exit(failed > 0 or result.testsRun == 0)


if __name__ == "__main__":
    main()
