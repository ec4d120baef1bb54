"""The fault layer from outside: rules for it, and the power cut.

A Disk watches a directory, which a server with Disk.environment() writes. When that has been
killed, cut() takes from the directory what a power cut could have: all that was not synced, or all
but a random part of it. fault_journal.h tells what is known for that, fault_rule.h the rules.
"""

import os
import shutil
import time

from tests.e2e import annalsd

LIBRARY = os.environ.get("ANNALS_FAULTS", "")


class File:
    """What is known of a file by its inode."""

    def __init__(self, size):
        self.synced = size  # bytes that a power cut leaves
        self.old = []  # (step, offset, bytes) overwritten since the last sync


class Journal:
    """What the steps of a process have made of a disk, as far as it would be lost."""

    def __init__(self, path):
        self.files = {}  # inode -> File
        self.names = []  # steps that no sync of the directory covers: (step, directory, words)
        self.syncs = {}  # of those under way: what ends them
        self.faults = []
        self.covered = 0  # how many calls have synced something
        try:
            with open(path, encoding="ascii") as f:
                lines = f.read().splitlines()
        except FileNotFoundError:
            lines = []
        for step, line in enumerate(lines):
            words = line.split(" ")
            getattr(self, "on_" + words[0])(step, words)

    def on_open(self, _, words):
        self.files.setdefault(words[1], File(int(words[2])))

    def on_create(self, step, words):
        self.files[words[1]] = File(0)
        self.add_name(step, words)

    def on_old(self, step, words):
        self.files.setdefault(words[1], File(0)).old.append(
            (step, int(words[2]), bytes.fromhex(words[3])))

    def add_name(self, step, words):
        words[-1] = os.path.normpath(words[-1])  # RocksDB's directories may end in a slash
        self.names.append((step, os.path.dirname(words[-1]) or ".", words))

    on_rename = on_unlink = on_link = on_mkdir = on_rmdir = add_name

    def on_sync(self, step, words):
        self.syncs[words[1]] = lambda: self.file_synced(step, words[2], int(words[3]))

    def on_dirsync(self, step, words):
        path = os.path.normpath(words[2])
        self.syncs[words[1]] = lambda: self.directory_synced(step, path)

    def on_synced(self, _, words):
        self.covered += 1
        self.syncs.pop(words[1])()

    def on_fault(self, _, words):
        self.faults.append((words[1], words[2]))

    def file_synced(self, step, inode, size):
        file = self.files.setdefault(inode, File(size))
        file.synced = max(file.synced, size)
        file.old = [each for each in file.old if each[0] > step]

    def directory_synced(self, step, path):
        self.names = [each for each in self.names if each[0] > step or each[1] != path]


class Disk:
    """A directory whose files are watched, and its state beside."""

    def __init__(self, parent=None):
        parent = parent or annalsd.new_dir()
        self.root = os.path.join(parent, "disk")
        self.state = os.path.join(parent, "state")
        os.makedirs(self.root)
        os.makedirs(self.state)

    def environment(self):
        # It comes before the sanitizer's library, and keeps its paths for ever.
        sanitizers = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:detect_leaks=0"
        return {"LD_PRELOAD": os.path.abspath(LIBRARY), "FAULTS_ROOT": self.root,
                "FAULTS_STATE": self.state,
                "ASAN_OPTIONS": sanitizers}

    def set_rules(self, *rules):
        """Has these rules hold from now on, and no others; each line is as fault_rule.h has it."""
        path = os.path.join(self.state, "rules")
        with open(path + ".new", "w", encoding="ascii") as f:
            f.write("".join(rule + "\n" for rule in rules))
        os.rename(path + ".new", path)

    def journal(self):
        return Journal(os.path.join(self.state, "journal"))

    def faults(self):
        """The calls that rules have struck: (call, path below root)."""
        return self.journal().faults

    def await_fault(self):
        for _ in range(annalsd.WAIT_S * 100):
            if self.faults():
                return
            time.sleep(0.01)
        raise AssertionError("no rule has struck")

    def forget(self):
        """Takes what is there for durable, and no rules: before another process starts."""
        shutil.rmtree(self.state)
        os.makedirs(self.state)

    def cut(self, dice=None):
        """Loses what was not synced; with dice, only a part, as chance has it. The process is dead.

        Returns how many bytes and names were lost.
        """
        journal = self.journal()
        names = self.undo_names(journal, dice)
        lost = 0
        for path in self.paths():
            file = journal.files.get(str(os.lstat(path).st_ino))
            if file is not None and not os.path.islink(path):
                lost += self.cut_file(path, file, dice)
        self.forget()
        return lost, names

    def paths(self):
        return [os.path.join(directory, name)
                for directory, _, names in os.walk(self.root) for name in names]

    @staticmethod
    def cut_file(path, file, dice):
        size = os.path.getsize(path)
        keep = min(size, file.synced)
        old = file.old
        if dice:
            # Sectors or single bytes of what follows; mostly none or all of it.
            keep = dice.choice((keep, size, dice.randint(keep, size)))
            if old:
                old = old[dice.randint(0, len(old)):]
        with open(path, "r+b") as f:
            f.truncate(keep)
            for _, offset, content in reversed(old):
                f.seek(offset)
                f.write(content)
        return size - keep

    def undo_names(self, journal, dice):
        """Directories are journalled: what is lost of names are the last steps."""
        lost = journal.names[dice.randint(0, len(journal.names)):] if dice else journal.names
        for _, _, words in reversed(lost):
            getattr(self, "undo_" + words[0])(words)
        return len(lost)

    def path(self, name):
        return os.path.normpath(os.path.join(self.root, name))

    @staticmethod
    def is_inode(path, inode):
        return os.path.lexists(path) and str(os.lstat(path).st_ino) == inode

    def undo_create(self, words):
        if self.is_inode(self.path(words[2]), words[1]):
            os.unlink(self.path(words[2]))

    def undo_link(self, words):
        self.undo_create([None, words[1], words[3]])

    def undo_rename(self, words):
        _, inode, saved, source, target = words
        if not self.is_inode(self.path(target), inode):
            return
        os.rename(self.path(target), self.path(source))
        if saved != "-":
            os.link(os.path.join(self.state, saved), self.path(target))

    def undo_unlink(self, words):
        _, _, saved, name = words
        path = self.path(name)
        # Where the directory is gone for good, so is what was in it.
        if saved != "-" and not os.path.lexists(path) and os.path.isdir(os.path.dirname(path)):
            os.link(os.path.join(self.state, saved), path)

    def undo_mkdir(self, words):
        shutil.rmtree(self.path(words[1]), ignore_errors=True)

    def undo_rmdir(self, words):
        os.makedirs(self.path(words[1]), exist_ok=True)
