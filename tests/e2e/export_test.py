#!/usr/bin/python3
"""Export and import again: the other server has the same, to the byte, and memory stays flat.

ANNALS_EXPORT_EVENTS: how long the long history is (8000).
"""

import gzip
import json
import os
import pty
import subprocess
import unittest

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import (ARN_HEAD, HistoryEvent, passed, simple_history, started, to_message)

EVENTS = int(os.environ.get("ANNALS_EXPORT_EVENTS", "8000"))
MEMORY_BYTES_MAX = 64 << 20  # that a long history may take more than a short one
HISTORIES = os.environ.get("ANNALS_HISTORIES", "tests/data/histories")
MACHINE = ARN_HEAD + "stateMachine:Machine"
OTHER = ARN_HEAD + "stateMachine:Other"
MAP_RUN = ARN_HEAD + "mapRun:Machine/Label:run"


def run(address, *args, stdin=subprocess.DEVNULL, check=True):
    """Returns the output, and the most memory that it took."""
    process = subprocess.Popen([annalsd.CLI, *args, "--endpoint", address], stdin=stdin,
                               stdout=subprocess.PIPE, env=annalsd.environment())
    out = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if check and process.returncode != 0:
        raise AssertionError("annals %s: %d" % (" ".join(args), process.returncode))
    return out, usage.ru_maxrss * 1024


def odd_events():
    """What JSON, times and presence can get wrong."""
    yield started(1700000000)
    for i, (seconds, nanos) in enumerate(((1700000000, 1), (1700000000, 1000), (1700000000, 1001000),
                                          (1700000001, 999999999), (4294967295, 999999000),
                                          (4294967296, 123456000), (253402300799, 999999999)), 2):
        event = passed(i, name="", payload="")
        event.timestamp.seconds, event.timestamp.nanos = seconds, nanos
        yield event
    last = event.timestamp
    for text in ('"\\\n\t\x01\x7f</script>', "é漢🦀\u2028\ufeff\uffff", "x" * 262144):
        i += 1
        event = passed(i, name="n", payload=text)
        event.timestamp.CopyFrom(last)
        event.state_entered_event_details.input_details.SetInParent()
        yield event
    i += 1
    event = HistoryEvent(id=i, type="HISTORY_EVENT_TYPE_PASS_STATE_EXITED", timestamp=last)
    for key, value in (("", ""), ("b", ""), ("a", "1"), ('"', "é")):
        event.state_exited_event_details.assigned_variables[key] = value
    yield event
    yield HistoryEvent(id=i + 1, previous_event_id=3, timestamp=last,
                       type="HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED")


class ExportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd()
        cls.addClassCleanup(cls.server.stop)
        cls.client = annalsd.Client(cls.server.grpc)
        cls.addClassCleanup(cls.client.close)
        for name in sorted(os.listdir(HISTORIES)):
            with open(os.path.join(HISTORIES, name), encoding="utf-8") as f:
                events = [to_message(e) for e in json.load(f)["events"]]
            for first in range(0, len(events), 500):
                cls.client.append(annalsd.arn(name[:-5]), events[first:first + 500])
        cls.client.append(annalsd.arn("odd"), list(odd_events()))
        cls.client.append(annalsd.arn("running"), simple_history(3, seconds=None))
        cls.client.append(annalsd.arn("versioned"), [started(
            state_machine_version_arn=MACHINE + ":7", state_machine_alias_arn=MACHINE + ":PROD")])
        cls.client.append(ARN_HEAD + "execution:Machine/Label:child", simple_history(2),
                          state_machine_arn=MACHINE, map_run_arn=MAP_RUN, item_count=42,
                          trace_header="Root=1-5759e988-bd862e3fe1be46a994272793")
        cls.client.append(ARN_HEAD + "execution:Machine:told", [started(1600000000)],
                          state_machine_arn=OTHER, item_count=7)

    def setUp(self):
        self.other = annalsd.Annalsd()
        self.addCleanup(self.other.stop)

    def state(self, server):
        """All that clients can see, as bytes."""
        with annalsd.Client(server.grpc) as client:
            parents = [{"state_machine_arn": arn} for arn in
                       (MACHINE, OTHER, MACHINE + ":7", MACHINE + ":PROD")] + [
                           {"map_run_arn": MAP_RUN}]
            listings = [[e.SerializeToString() for e in client.list_all(**p)] for p in parents]
            arns = sorted({e.execution_arn for p in parents for e in client.list_all(**p)})
            return listings, {arn: (client.describe(arn).SerializeToString(deterministic=True),
                                    [e.SerializeToString(deterministic=True)
                                     for e in client.history(arn)]) for arn in arns}

    def export(self, server, *args):
        return run(server.grpc, "export", *args)[0]

    def test_the_other_server_has_the_same(self):
        exports = [self.export(self.server, "--state-machine", MACHINE),
                   self.export(self.server, "--state-machine", OTHER)]
        path = os.path.join(annalsd.new_dir(), "both.jsonl")
        with open(path, "wb") as f:
            f.write(b"".join(exports))
        run(self.other.grpc, "import", path)
        self.assertEqual(self.state(self.other), self.state(self.server))
        self.assertEqual(self.export(self.other, "--state-machine", MACHINE), exports[0])
        self.assertEqual(self.export(self.other, "--state-machine", OTHER), exports[1])
        for server in self.server, self.other:
            out, _ = run(server.grpc, "import", path)
            self.assertRegex(out.decode(), "^0 histories imported, 12 already there, 0 failed: 0 events "
                             "appended, [0-9]+ already there\n$")

    def test_compressed_and_through_a_pipe(self):
        path = os.path.join(annalsd.new_dir(), "machine.jsonl.gz")
        plain = self.export(self.server, "--state-machine", MACHINE)
        self.assertRegex(self.export(self.server, "--state-machine", MACHINE, "--output", path).decode(),
                         "^11 executions, [0-9]+ events exported\n$")
        with gzip.open(path) as f:
            self.assertEqual(f.read(), plain)
        with open(path, "rb") as f:
            self.assertEqual(self.export(self.server, "--state-machine", MACHINE, "--gzip"), f.read())
            f.seek(0)
            run(self.other.grpc, "import", "-", stdin=f)
        self.assertEqual(self.export(self.other, "--state-machine", MACHINE), plain)

    def arns(self, *args):
        return [json.loads(line)["executionArn"].rpartition(":")[2]
                for line in self.export(self.server, *args).splitlines() if b"lastEventId" in line]

    def test_choice(self):
        self.assertEqual(self.arns("--map-run", MAP_RUN), ["child"])
        self.assertEqual(self.arns("--state-machine", MACHINE + ":7"), ["versioned"])
        self.assertEqual(self.arns("--state-machine", MACHINE + ":PROD"), ["versioned"])
        self.assertEqual(self.arns("--state-machine", OTHER, "--since", "2020-09-13T12:26:40Z"),
                         ["told"])
        self.assertEqual(self.arns("--state-machine", OTHER, "--since", "2020-09-13T12:26:40.001Z"), [])
        self.assertEqual(self.arns("--state-machine", MACHINE, "--since", "9999-01-01"), [])
        self.assertEqual(self.arns(annalsd.arn("odd"), annalsd.arn("hello_world")),
                         ["odd", "hello_world"])
        head = json.loads(self.export(self.server, ARN_HEAD + "execution:Machine/Label:child")
                          .splitlines()[0])
        self.assertEqual(head, {"executionArn": ARN_HEAD + "execution:Machine/Label:child",
                                "stateMachineArn": MACHINE, "mapRunArn": MAP_RUN, "itemCount": 42,
                                "traceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793"})

    def test_memory_stays_flat(self):
        arn = annalsd.arn("long")
        for first in range(1, EVENTS, 1000):
            self.client.append(arn, simple_history(1000, first=first, payload='"%s"' % ("x" * 500)))
        self.addCleanup(lambda: self.client.call("DeleteExecution",
                                                 annalsd.length_delimited(1, arn)))
        folder = annalsd.new_dir()
        short, long = os.path.join(folder, "short"), os.path.join(folder, "long.gz")
        _, least = run(self.server.grpc, "export", annalsd.arn("running"), "--output", short)
        _, most = run(self.server.grpc, "export", arn, "--output", long)
        self.assertLess(most - least, MEMORY_BYTES_MAX)
        _, least = run(self.other.grpc, "import", short)
        out, most = run(self.other.grpc, "import", long)
        self.assertIn("1 history imported, 0 already there, 0 failed: %d events" % EVENTS, out.decode())
        self.assertLess(most - least, MEMORY_BYTES_MAX)

    @unittest.skipUnless(os.path.exists("/dev/ptmx") and os.path.ismount("/dev/pts"),
                         "no terminals are to be had here")
    def test_import_shows_its_progress_on_a_terminal(self):
        path = os.path.join(HISTORIES, "hello_world.json")
        parent, child = pty.openpty()
        with open(parent, "rb", buffering=0) as terminal:
            process = subprocess.Popen(
                [annalsd.CLI, "import", path, "--execution-arn", annalsd.arn("seen"), "--endpoint",
                 self.other.grpc], env=annalsd.environment(), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=child)
            os.close(child)
            said = b""
            try:
                while piece := terminal.read(4096):
                    said += piece
            except OSError:  # the program's end closes the terminal
                pass
            self.assertEqual(process.wait(annalsd.WAIT_S), 0)
        with annalsd.Client(self.other.grpc) as client:
            count = len(client.history(annalsd.arn("seen")))
        self.assertEqual(said, b"\r\x1b[Kfile 1 of 1, event 0 of %d\r\x1b[K" % count)


if __name__ == "__main__":
    unittest_xml.main()
