#!/usr/bin/python3
"""The fault layer itself: what a power cut leaves of files, and what rules do to calls."""

import os
import random
import signal
import subprocess
import sys
import unittest

from tests import unittest_xml
from tests.crash import faults

# What the programs below begin with.
HEAD = """
import os, signal
def write(name, content, sync=True, flags=os.O_CREAT | os.O_WRONLY | os.O_APPEND):
    fd = os.open(name, flags, 0o600)
    done = os.write(fd, content)
    if sync:
        os.fdatasync(fd)
    os.close(fd)
    return done
def sync(name):
    fd = os.open(name, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
def fails(function, *args):
    try:
        function(*args)
    except OSError as error:
        return error.strerror
os.chdir(os.environ["FAULTS_ROOT"])
root = os.getcwd() + "/"
"""


class FaultsTest(unittest.TestCase):
    def setUp(self):
        self.disk = faults.Disk()

    def run_program(self, text, status=-signal.SIGKILL):
        done = subprocess.run([sys.executable, "-c", HEAD + text], capture_output=True, text=True,
                              env={**os.environ, **self.disk.environment()}, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def die_after(self, text):
        self.run_program(text + "\nos.kill(os.getpid(), signal.SIGKILL)\n")

    def read(self, name):
        with open(self.disk.path(name), "rb") as f:
            return f.read()

    def put(self, name, content):
        with open(self.disk.path(name), "wb") as f:
            f.write(content)

    def names(self):
        return sorted(os.listdir(self.disk.root))

    def test_what_was_not_synced_is_lost(self):
        self.die_after("""
write(root + "a", b"12345")
write(root + "a", b"678", sync=False)
write(root + "b", b"12345", sync=False)
sync(root)
""")
        self.assertEqual(self.disk.cut(), (8, 0))
        self.assertEqual((self.read("a"), self.read("b")), (b"12345", b""))

    def test_what_was_there_before_stays(self):
        self.put("a", b"before ")
        self.die_after('write(root + "a", b"1")\nwrite(root + "a", b"2", sync=False)')
        self.disk.cut()
        self.assertEqual(self.read("a"), b"before 1")

    def test_what_was_overwritten_comes_back(self):
        self.put("a", b"0123456789")
        self.put("b", b"0123456789")
        self.put("c", b"0123456789")
        self.die_after("""
fd = os.open(root + "a", os.O_RDWR)
os.pwrite(fd, b"AB", 2)
os.fsync(fd)
os.pwrite(fd, b"CDEF", 1)
os.pwrite(fd, b"XX", 9)
write(root + "b", b"short", sync=False, flags=os.O_WRONLY | os.O_TRUNC)
os.ftruncate(os.open(root + "c", os.O_WRONLY), 3)
""")
        self.disk.cut()
        self.assertEqual(self.read("a"), b"01AB456789")
        self.assertEqual(self.read("b"), b"0123456789")
        self.assertEqual(self.read("c"), b"0123456789")

    def test_names_are_lost_without_a_sync_of_their_directory(self):
        self.put("current", b"old")
        self.put("gone", b"x")
        self.put("renamed", b"y")
        program = """
write(root + "made", b"1")
write(root + "temporary", b"new")
os.rename(root + "temporary", root + "current")
os.unlink(root + "gone")
os.rename(root + "renamed", root + "other")
os.mkdir(root + "directory")
write(root + "directory/inside", b"1")
sync(root + "directory")
os.link(root + "other", root + "linked")
"""
        self.die_after(program)
        self.assertEqual(self.disk.cut()[1], 7)
        self.assertEqual(self.names(), ["current", "gone", "renamed"])
        self.assertEqual(self.read("current"), b"old")
        self.die_after(program + "sync(root)\n")
        self.assertEqual(self.disk.cut(), (0, 0))
        self.assertEqual(self.names(), ["current", "directory", "linked", "made", "other"])
        self.assertEqual(self.read("current"), b"new")

    def test_chance_keeps_a_part(self):
        sizes = set()
        for seed in range(40):
            self.disk = faults.Disk()
            self.die_after('write(root + "a", b"1234")\nsync(root)\n'
                           'write(root + "a", b"56789", sync=False)')
            self.disk.cut(random.Random(seed))
            self.assertTrue(b"123456789".startswith(self.read("a")))
            sizes.add(len(self.read("a")))
        self.assertEqual(min(sizes), 4)
        self.assertEqual(max(sizes), 9)
        self.assertGreater(len(sizes), 2)

    def test_rules_fail_the_call_they_name(self):
        self.disk.set_rules("sync *.log 2 EIO", "write *.sst 2+ ENOSPC", "rename b 1 EROFS")
        out = self.run_program("""
print(fails(write, root + "a.log", b"1"), fails(write, root + "a.log", b"2"),
      fails(write, root + "a.log", b"3"))
print([fails(write, root + "a.sst", b"1", False) for _ in range(3)])
print(fails(os.rename, root + "a.sst", root + "b"), fails(os.rename, root + "a.sst", root + "b"))
""", status=0)
        self.assertEqual(out, """None Input/output error None
[None, 'No space left on device', 'No space left on device']
Read-only file system None
""")
        self.assertEqual(self.disk.faults(), [("sync", "a.log"), ("write", "a.sst"),
                                              ("write", "a.sst"), ("rename", "b")])

    def test_rules_cut_short_and_delay(self):
        self.disk.set_rules("write a 1 half", "read a 1 half", "sync a 1 delay=50",
                            "write b 1 half,EIO", "write c 1 done,EIO")
        out = self.run_program("""
import time
begin = time.monotonic()
print(write(root + "a", b"12345678"), os.read(os.open(root + "a", os.O_RDONLY), 4))
print(time.monotonic() - begin >= 0.05)
print(fails(write, root + "b", b"1234"), fails(write, root + "c", b"1234"))
""", status=0)
        self.assertEqual(out, "4 b'12'\nTrue\nInput/output error Input/output error\n")
        self.assertEqual((self.read("b"), self.read("c")), (b"12", b"1234"))

    def test_rules_kill(self):
        for action, left in (("die", b"1"), ("half,die", b"123"), ("done,die", b"12345")):
            self.disk = faults.Disk()
            self.disk.set_rules("write a 2 " + action)
            self.run_program('write(root + "a", b"1")\nwrite(root + "a", b"2345")\n')
            self.assertEqual(self.read("a"), left)

    def test_rules_change_under_way(self):
        self.disk.set_rules("write a 1+ EIO")
        out = self.run_program("""
print(fails(write, root + "a", b"1"))
state = os.environ["FAULTS_STATE"]
os.rename(state + "/rules", state + "/old")
print(fails(write, root + "a", b"1"))
os.rename(state + "/old", state + "/rules")
print(fails(write, root + "a", b"1"))
""", status=0)
        self.assertEqual(out, "Input/output error\nNone\nInput/output error\n")

    def test_what_it_cannot_follow_it_refuses(self):
        self.put("a", b"1234")
        self.run_program("""
import mmap
mmap.mmap(os.open(root + "a", os.O_RDWR), 4)
""", status=-signal.SIGABRT)


if __name__ == "__main__":
    unittest_xml.main()
