#!/usr/bin/python3
"""Backups: what is in them, who may make them, where, and what is refused."""

import fcntl
import json
import os
import time
import unittest

import grpc

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import WRITER, WRITER_TOKEN, CallError, simple_history
from tests.e2e.server_test_case import ServerTest

INVALID = grpc.StatusCode.INVALID_ARGUMENT
OPERATOR = "token-of-the-operator"


def files_of(directory):
    return {os.path.relpath(os.path.join(path, name), directory)
            for path, _, names in os.walk(directory) for name in names}


class BackupTest(ServerTest):
    """One server, with a directory for backups."""

    @classmethod
    def setUpClass(cls):
        cls.root = annalsd.new_dir()
        cls.options = ("--backup-dir", cls.root)
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.name = self.id().rpartition(".")[2]
        self.path = os.path.join(self.root, self.name)

    def refused_directory(self, directory):
        return self.refused(lambda: self.client.backup(directory), INVALID, "INVALID_REQUEST",
                            {"field": "directory"}, ["directory"])

    def test_what_was_made(self):
        self.append(*simple_history(3))
        before = int(time.time())
        first = self.client.backup(self.name)
        self.assertEqual(first.backup_id, 1)
        self.assertLessEqual(before, first.create_time.seconds)
        self.assertLessEqual(first.create_time.seconds, time.time())
        self.assertEqual(first.copied_bytes, first.size_bytes)
        self.assertGreater(first.last_sequence, 0)
        files = files_of(self.path)
        own = {"annals-backup", "page-token.key", "meta/1"}
        self.assertEqual(len(files - own), first.file_count)
        self.assertEqual(sum(os.path.getsize(os.path.join(self.path, f)) for f in files - own),
                         first.size_bytes)
        for directory, _, names in os.walk(self.path):
            self.assertEqual(os.stat(directory).st_mode & 0o077 if directory == self.path else 0, 0)
        self.append(*simple_history(3, first=4))
        second = self.client.backup(os.path.join(self.root, self.name))
        self.assertEqual(second.backup_id, 2)
        self.assertGreater(second.last_sequence, first.last_sequence)

    def test_tables_are_copied_once(self):
        self.append(*simple_history(1))
        for i in range(2, 40):  # a restart writes what the log holds into tables
            self.append(*simple_history(1, first=i, payload='"%s"' % os.urandom(50000).hex()))
        self.server.restart()
        self.client.close()
        self.__class__.client = annalsd.Client(self.server.grpc)
        first, second = self.client.backup(self.name), self.client.backup(self.name)
        self.assertGreater(first.copied_bytes, 3000000)
        self.assertEqual(second.size_bytes, first.size_bytes)
        self.assertLess(second.copied_bytes, 100000)

    def test_kept(self):
        for made in range(1, 6):
            answer = self.client.backup(self.name, keep=2)
            self.assertEqual((answer.backup_id, answer.deleted_count), (made, int(made > 2)))
        self.assertEqual(sorted(os.listdir(os.path.join(self.path, "meta"))), ["4", "5"])
        self.assertEqual(sorted(os.listdir(os.path.join(self.path, "private"))), ["4", "5"])
        self.client.backup(self.name)
        self.assertEqual(sorted(os.listdir(os.path.join(self.path, "meta"))), ["4", "5", "6"])

    def test_what_was_cut_short_is_cleaned(self):
        self.client.backup(self.name)
        cut = os.path.join(self.path, "private", "2")
        os.mkdir(cut)
        for path in (os.path.join(cut, "MANIFEST-000001"),
                     os.path.join(self.path, "shared_checksum", "000099_sX_5.sst")):
            with open(path, "w", encoding="ascii") as f:
                f.write("half")
        answer = self.client.backup(self.name)
        files = files_of(self.path)
        self.assertNotIn("shared_checksum/000099_sX_5.sst", files)
        self.assertNotIn("private/2/MANIFEST-000001", files)
        self.assertIn("meta/%d" % answer.backup_id, files)

    def test_paths(self):
        self.assertEqual(self.client.backup(self.name + "/a/b").backup_id, 1)
        self.assertEqual(self.client.backup(self.path + "/a/b/").backup_id, 2)
        for directory in ("", "..", ".", "a/../b", "./a", "a/..", "a//b", "/etc", self.root,
                          self.root + "/", self.root + "x/y", self.root + "/../y", "a\nb", "a" * 513):
            self.refused_directory(directory)

    def test_links_are_not_followed(self):
        outside = annalsd.new_dir()
        os.symlink(outside, os.path.join(self.root, "link"))
        self.refused_directory("link")
        self.refused_directory("link/below")
        self.assertEqual(os.listdir(outside), [])

    def test_what_is_no_directory_of_backups(self):
        os.mkdir(self.path)
        with open(os.path.join(self.path, "file"), "w", encoding="ascii") as f:
            f.write("of somebody else")
        error = self.refused_directory(self.name)
        self.assertIn("is not empty, and holds no backups", error.message)
        self.refused_directory(self.name + "/file")
        self.assertEqual(os.listdir(self.path), ["file"])

    def test_another_store(self):
        self.client.backup(self.name)
        with annalsd.Annalsd(*self.options) as server, annalsd.Client(server.grpc) as client:
            error = self.refused(lambda: client.backup(self.name), INVALID, "INVALID_REQUEST",
                                 {"field": "directory"}, ["directory"])
            self.assertIn("holds backups of another store", error.message)

    def test_one_at_a_time(self):
        self.client.backup(self.name)
        with open(os.path.join(self.path, "annals-backup"), "rb") as f:
            fcntl.flock(f, fcntl.LOCK_EX)  # as another backup would
            self.refused(lambda: self.client.backup(self.name),
                         grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_RUNNING", {})
            done = annalsd.run_cli("restore", "--check", self.path, check=False)
            self.assertEqual((done.returncode, done.stderr), (
                1, "annals: restore: a backup is being made in %s\n" % self.path))
        self.assertEqual(self.client.backup(self.name).backup_id, 2)

    def test_keep(self):
        self.refused(lambda: self.client.backup(self.name, keep=-1), INVALID, "INVALID_REQUEST",
                     {"field": "keep"}, ["keep"])
        self.assertFalse(os.path.exists(self.path))

    def test_cli(self):
        for made in (1, 2):
            done = annalsd.run_cli("backup", "--endpoint", self.server.grpc, self.name, "--keep", "1")
            self.assertRegex(done.stdout, "^backup %d in %s: begun .*Z, [0-9]+ files, .* MiB, .* MiB "
                             "of them new, up to change [0-9]+%s\n$"
                             % (made, self.name, ", 1 older deleted" if made == 2 else ""))
        done = annalsd.run_cli("backup", "--endpoint", self.server.grpc, "../x", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "annals: backup: INVALID_REQUEST: the directory '../x' is not a "
                         "path below the server's --backup-dir\n")


class PermissionTest(unittest.TestCase):
    """Who may make backups, and where there are none."""

    def start(self, *args):
        server = annalsd.Annalsd(*args)
        self.addCleanup(server.stop)
        return server

    def attempt(self, server, token):
        with annalsd.Client(server.grpc, metadata=(("authorization", "Bearer " + token),)) as client:
            try:
                return client.backup("x").backup_id
            except CallError as error:
                return error.reason

    def test_permission(self):
        path = os.path.join(annalsd.new_dir(), "credentials")
        rules = {"all-of-states-and-annals": "states:* annals:* on *",
                 "all-on-arns-but-not-here": "* on arn:*",
                 OPERATOR: "annals-admin:CreateBackup on *"}
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as f:
            f.write(WRITER)
            for token, rule in rules.items():
                f.write("[%s]\ntoken = %s\nallow = %s\n" % (token, token, rule))
        server = self.start("--backup-dir", annalsd.new_dir(), "--credentials-file", path)
        self.assertEqual([self.attempt(server, token) for token in (WRITER_TOKEN, *rules)],
                         ["PERMISSION_DENIED", "PERMISSION_DENIED", "PERMISSION_DENIED", 1])

    def test_without_a_directory(self):
        self.assertEqual(self.attempt(self.start(), "any"), "BACKUPS_DISABLED")
        missing = os.path.join(annalsd.new_dir(), "missing")
        server = self.start("--backup-dir", missing)
        self.assertEqual(self.attempt(server, "any"), "BACKUP_FAILED")
        (line,) = map(json.loads, server.log().splitlines())
        self.assertEqual((line["level"], line["reason"]), ("error", "BACKUP_FAILED"))
        self.assertIn(missing, line["detail"])
        self.assertFalse(os.path.exists(missing))

    def test_full_disk(self):
        root = annalsd.new_dir()
        server = self.start("--backup-dir", root, "--min-free-space", "2000000000")
        self.assertEqual(self.attempt(server, "any"), "NO_SPACE")
        self.assertEqual(os.listdir(os.path.join(root, "x", "meta")), [])


if __name__ == "__main__":
    unittest_xml.main()
