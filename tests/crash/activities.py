"""What goes on in the background of the crash harness, to be hit in its middle.

An activity has options for the server, is begun with each run and ended with it, and is checked
behind each restart. NAMES has all of them.
"""

import json
import os
import random
import shutil
import subprocess
import threading

from annals.v1 import admin_service_pb2, history_service_pb2
from tests.crash.load import CUT_OFF, UNANSWERED, history_of, standing, standing_of
from tests.e2e import annalsd
from tests.e2e.annalsd import ARN_HEAD, CallError, HistoryEvent, passed, simple_history, started

FAR_FUTURE_S = 4000000000


class Activity:
    """Does turn() again and again, on a thread with a client, until the server dies."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.thread = None
        self.failure = None

    def server_args(self, harness):
        return []

    def before_start(self, harness):
        pass

    def turn(self, client):
        raise NotImplementedError

    def check(self, harness):
        pass

    def summary(self):
        return ""

    def run(self, address):
        try:
            with annalsd.Client(address) as client:
                while True:
                    self.turn(client)
        except CallError as error:
            if error.code not in CUT_OFF or error.reason not in UNANSWERED:
                self.failure = error
        except BaseException as failure:  # pylint: disable=broad-except
            self.failure = failure

    def begin(self, harness):
        self.thread = threading.Thread(target=self.run, args=(harness.server.grpc,))
        self.thread.start()

    def end(self, _):
        self.thread.join()
        if self.failure:
            raise self.failure


class Retention(Activity):
    """Executions that are due at once, and others beside that never are."""

    MACHINE = "Expiring"

    def __init__(self, seed):
        super().__init__(seed)
        self.due = {}  # ARN -> events; asked for, and may go
        self.stays = {}  # ARN -> events; acknowledged
        self.made = self.gone = 0

    def server_args(self, harness):
        path = os.path.join(os.path.dirname(harness.disk.root), "annalsd.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("[annalsd]\nretention-rate = 200\n\n"
                    "[retention]\n%sstateMachine:%s = 1s\n" % (ARN_HEAD, self.MACHINE))
        return ["--config", path]

    def arn(self):
        self.made += 1
        return "%sexecution:%s:%d" % (ARN_HEAD, self.MACHINE, self.made)

    @staticmethod
    def ended(count, seconds):
        last = HistoryEvent(id=count, previous_event_id=count - 1,
                            type="HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED")
        last.timestamp.seconds = seconds
        return simple_history(count - 1) + [last]

    def turn(self, client):
        if len(self.stays) < 40 and self.chance.random() < 0.1:
            arn = self.arn()
            events = (simple_history(5) if self.chance.random() < 0.5
                      else self.ended(self.chance.choice((3, 120)), FAR_FUTURE_S))
            client.append(arn, events)
            self.stays[arn] = events
            return
        arn = self.arn()
        self.due[arn] = self.ended(self.chance.choice((2, 5, 130)), 1700000000)
        client.append(arn, self.due[arn])

    def check(self, harness):
        with annalsd.Client(harness.server.grpc) as client:
            for arn, events in self.stays.items():
                assert client.history(arn, max_results=1000) == events, arn
            for arn in list(self.due):
                self.check_due(client, arn)
            # Retention goes on meanwhile: what is listed may be gone when it is asked for.
            listed = client.list_all(state_machine_arn=ARN_HEAD + "stateMachine:" + self.MACHINE,
                                     max_results=1000)
            assert set(self.stays) <= {e.execution_arn for e in listed}
            for each in listed:
                history = history_of(client, each.execution_arn)
                assert not history or standing(history) == standing_of(each), each

    def check_due(self, client, arn):
        """Whole, or gone; and what is gone stays gone."""
        stored = history_of(client, arn)
        assert stored in (self.due[arn], []), (arn, len(stored))
        if stored:
            return
        try:
            client.describe(arn)
            raise AssertionError("%s has no history, and is described" % arn)
        except CallError as error:
            assert error.reason == "EXECUTION_DOES_NOT_EXIST", error
        self.gone += 1
        del self.due[arn]

    def summary(self):
        return "%d of %d expired" % (self.gone, self.made)


class Backup(Activity):
    """Backups one after another, on a disk that loses what is not synced, too."""

    def __init__(self, seed):
        super().__init__(seed)
        self.witness = ARN_HEAD + "execution:Witness:of-backups"
        self.events = []  # of the witness, sent
        self.acknowledged = None  # id of the last backup, and how many events it has at least
        self.made = self.restored = 0

    def server_args(self, harness):
        os.makedirs(harness.disk.root + "/backups", exist_ok=True)
        return ["--backup-dir", harness.disk.root + "/backups"]

    def turn(self, client):
        event_id = len(self.events) + 1
        self.events.append(started() if event_id == 1 else passed(event_id))
        client.append(self.witness, self.events[-20:])
        backup = client.backup("all", keep=5)
        self.acknowledged = (backup.backup_id, event_id)
        self.made += 1

    def check(self, harness):
        with annalsd.Client(harness.server.grpc) as client:
            stored = history_of(client, self.witness)
            assert stored == self.events[:len(stored)], len(stored)
            self.events = stored
        if self.acknowledged and self.chance.random() < 0.3:
            self.check_restored(harness)

    def check_restored(self, harness):
        """A backup can be restored, has what it should, and is one moment of the store."""
        target = os.path.join(os.path.dirname(harness.disk.root), "restored")
        backups = harness.disk.root + "/backups/all"
        # The newest may be one that a power cut came to: RocksDB syncs its name before its files'.
        newest = annalsd.run_cli("restore", backups, target, check=False)
        if newest.returncode != 0:
            assert "is damaged" in newest.stderr, newest.stderr
            annalsd.run_cli("restore", backups, target, "--backup", str(self.acknowledged[0]))
        with annalsd.Annalsd("--log-level", "error", data_dir=target) as server, \
                annalsd.Client(server.grpc) as client:
            assert len(client.history(self.witness)) >= self.acknowledged[1]
            for each in client.list_all(state_machine_arn=annalsd.MACHINE_ARN, max_results=1000):
                history = client.history(each.execution_arn, max_results=1000)
                assert [e.id for e in history] == list(range(1, len(history) + 1)), each
                assert standing(history) == standing_of(each), each
        shutil.rmtree(target)
        self.restored += 1

    def summary(self):
        return "%d backups, %d restored" % (self.made, self.restored)


class Migration(Activity):
    """Starts with a store of an older schema version now and then."""

    made = 0

    def before_start(self, harness):
        store = harness.server.data_dir + "/rocksdb" if harness.server else None
        if store and self.chance.random() < 0.5:
            subprocess.run([os.environ["ANNALS_MAKE_OLD"], store], check=True,
                           timeout=annalsd.WAIT_S)
            self.made += 1

    def begin(self, harness):
        pass

    def end(self, harness):
        pass

    def summary(self):
        return "%d old stores" % self.made


class Repair(Migration):
    """Repairs a store before a start now and then, whose listings are gone or in whose tables a
    byte has changed. The repair is killed, too: another one ends what it began, for good."""

    repaired = damaged = killed = 0

    def before_start(self, harness):
        store = harness.server.data_dir + "/rocksdb" if harness.server else None
        if not store or self.chance.random() < 0.5:
            return
        if self.chance.random() < 0.5 and self.damage_table(store):
            self.damaged += 1
        else:
            super().before_start(harness)
        while not self.repair(harness, store):
            self.killed += 1
        self.repaired += 1

    def damage_table(self, store):
        """Changes a byte in a table of records or listings. Returns whether there was one."""
        # A table that was being written when the power failed may have nothing in it.
        names = [name for name in sorted(os.listdir(store)) if name.endswith(".sst")
                 and os.path.getsize(os.path.join(store, name)) > 1]
        for name in self.chance.sample(names, min(3, len(names))):
            path = os.path.join(store, name)
            offset = self.chance.randrange(os.path.getsize(path) // 2)
            annalsd.flip(path, offset)
            out = annalsd.run_cli("verify", store, "--json", check=False).stdout
            faults = [json.loads(line) for line in out.splitlines() or ["{}"]]
            if (faults[0].get("part") in ("executions", "listings")
                    and faults[-1].get("summary", {"whole": False})["whole"]):
                return True
            annalsd.flip(path, offset)
        return False

    def repair(self, harness, store):
        if self.chance.random() < 0.7:
            harness.disk.set_rules(harness.start_point())
        done = annalsd.run_cli("verify", "--repair", store, env=harness.disk.environment(),
                               check=False)
        assert done.returncode in (0, -9), (done.returncode, done.stdout[-2000:], done.stderr)
        harness.lose()
        return done.returncode == 0

    def summary(self):
        return "%d repairs (%d with a damaged table), killed %d times before" % (
            self.repaired, self.damaged, self.killed)


class Secret:
    """An encrypted execution."""

    def __init__(self, arn):
        self.arn = arn
        self.events = []  # sent
        self.acknowledged = 0
        self.shredding = self.shredded = False


class Encryption(Activity):
    """Encrypted executions, whose data keys are wrapped anew and destroyed, under a key that is
    changed between starts."""

    CONFIGURATION = history_service_pb2.EncryptionConfiguration(
        type="ENCRYPTION_TYPE_CUSTOMER_MANAGED_KMS_KEY", kms_key_id="local:secret")

    def __init__(self, seed):
        super().__init__(seed)
        self.keys = []  # lines of the key file, the one in use first
        self.secrets = []
        self.made = self.rewrapped = self.shredded = 0

    def key_file(self, harness):
        return os.path.join(os.path.dirname(harness.disk.root), "keys")

    def server_args(self, harness):
        return ["--kms-key-file", self.key_file(harness)]

    def before_start(self, harness):
        if not self.keys or self.chance.random() < 0.3:
            self.keys.insert(0, "secret %064x\n" % self.chance.getrandbits(256))
        with open(self.key_file(harness), "w", encoding="utf-8") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write("".join(self.keys))

    def turn(self, client):
        if len(self.secrets) < 30 or self.chance.random() < 0.02:
            self.made += 1
            self.secrets.append(Secret("%sexecution:Secret:%d" % (ARN_HEAD, self.made)))
        secret = self.chance.choice(self.secrets[-30:])
        if secret.shredding:
            return
        act = self.chance.random()
        if act < 0.1 and secret.acknowledged:
            self.rewrapped += self.admin(client, "RewrapDataKeys", secret)
        elif act < 0.12 and secret.acknowledged:
            secret.shredding = True
            self.admin(client, "DestroyDataKeys", secret)
            secret.shredded = True
            self.shredded += 1
        else:
            self.append(client, secret)

    @staticmethod
    def admin(client, method, secret):
        request = getattr(admin_service_pb2, method + "Request")(execution_arn=secret.arn)
        answer = client.call(method, request.SerializeToString(), service=annalsd.ADMIN_SERVICE)
        answer = getattr(admin_service_pb2, method + "Response").FromString(answer)
        assert answer.data_key_count >= 1, (secret.arn, answer)
        return answer.data_key_count

    def append(self, client, secret):
        """Goes on, or repeats what had no answer."""
        if len(secret.events) == secret.acknowledged:
            first = len(secret.events) + 1
            for i in range(first, first + self.chance.choice((1, 3, 40))):
                secret.events.append(started() if i == 1 else
                                     passed(i, payload="%d is a secret" % i * 20))
        client.append(secret.arn, secret.events[secret.acknowledged:],
                      encryption_configuration=self.CONFIGURATION)
        secret.acknowledged = len(secret.events)

    def check(self, harness):
        with annalsd.Client(harness.server.grpc) as client:
            for secret in self.secrets:
                self.check_secret(client, secret)

    def check_secret(self, client, secret):
        try:
            stored = history_of(client, secret.arn)
        except CallError as error:
            assert error.reason == "KMS_INVALID_STATE" and secret.shredding, (secret.arn, error)
            secret.shredded = True
            stored = secret.events[:len(history_of(client, secret.arn, include=False))]
        else:
            assert not secret.shredded, secret.arn
            secret.shredding = False
        assert stored == secret.events[:len(stored)], (secret.arn, len(stored))
        assert len(stored) in (secret.acknowledged, len(secret.events)), (
            secret.arn, len(stored), secret.acknowledged, len(secret.events))

    def summary(self):
        return "%d encrypted (%d data keys rewrapped, %d executions shredded, %d keys)" % (
            self.made, self.rewrapped, self.shredded, len(self.keys))


NAMES = {"migration": Migration, "repair": Repair, "retention": Retention, "backup": Backup,
         "encryption": Encryption}
