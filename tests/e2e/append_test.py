#!/usr/bin/python3
"""The append contract, line by line, over the wire."""

import glob
import os

import grpc

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import HistoryEvent, passed, started
from tests.e2e.server_test_case import ServerTest


class ContractTest(ServerTest):
    """What an append does."""

    def test_first_append_creates(self):
        self.assertEqual(self.counts(self.append(started())), (1, 1, 0, 0))
        self.assertEqual(self.client.history(self.arn), [started()])

    def test_appends_go_on(self):
        self.append(started(), passed(2))
        self.assertEqual(self.counts(self.append(passed(3), passed(4))), (4, 2, 0, 0))
        self.assertEqual([e.id for e in self.client.history(self.arn)], [1, 2, 3, 4])

    def test_retry_of_the_whole(self):
        events = annalsd.simple_history(5)
        self.append(*events)
        self.assertEqual(self.counts(self.append(*events)), (5, 0, 5, 0))
        self.assertEqual(self.client.history(self.arn), events)

    def test_retry_of_a_part(self):
        events = annalsd.simple_history(300)
        self.append(*events)
        self.assertEqual(self.counts(self.append(*events[10:20])), (300, 0, 10, 0))
        self.assertEqual(self.counts(self.append(*events[95:205])), (300, 0, 110, 0))

    def test_overlap_with_a_new_tail(self):
        events = annalsd.simple_history(7)
        self.append(*events[:4])
        self.assertEqual(self.counts(self.append(*events[2:])), (7, 3, 2, 0))
        self.assertEqual(self.client.history(self.arn), events)

    def test_retry_after_others(self):
        events = annalsd.simple_history(6)
        self.append(*events[:3])
        self.append(*events[3:])
        self.assertEqual(self.counts(self.append(*events[:3])), (6, 0, 3, 0))

    def test_conflict(self):
        self.append(*annalsd.simple_history(5))
        self.refused(lambda: self.append(passed(3), passed(4, name="Other"), passed(5)),
                     grpc.StatusCode.ALREADY_EXISTS, "EVENT_CONFLICT",
                     {"event_id": "4", "expected_event_id": "6"})

    def test_conflict_stores_nothing_of_the_tail(self):
        events = annalsd.simple_history(5)
        self.append(*events)
        self.refused(lambda: self.append(passed(5, payload="[]"), passed(6)),
                     grpc.StatusCode.ALREADY_EXISTS, "EVENT_CONFLICT",
                     {"event_id": "5", "expected_event_id": "6"})
        self.assertEqual(self.client.history(self.arn), events)

    def test_conflict_of_previous_event_id(self):
        self.append(*annalsd.simple_history(3))
        other = passed(3)
        other.previous_event_id = 1
        self.refused(lambda: self.append(other), grpc.StatusCode.ALREADY_EXISTS, "EVENT_CONFLICT",
                     {"event_id": "3", "expected_event_id": "4"})

    def test_conflict_of_a_later_timestamp(self):
        self.append(*annalsd.simple_history(3))
        self.refused(lambda: self.append(passed(3, seconds=1700000001)),
                     grpc.StatusCode.ALREADY_EXISTS, "EVENT_CONFLICT",
                     {"event_id": "3", "expected_event_id": "4"})

    def test_conflict_of_details_that_are_absent(self):
        self.append(*annalsd.simple_history(2))
        bare = passed(2)
        bare.ClearField("state_entered_event_details")
        self.refused(lambda: self.append(bare), grpc.StatusCode.ALREADY_EXISTS, "EVENT_CONFLICT",
                     {"event_id": "2", "expected_event_id": "3"})

    def test_gap(self):
        self.append(*annalsd.simple_history(2))
        self.refused(lambda: self.append(passed(4)), grpc.StatusCode.FAILED_PRECONDITION,
                     "EVENT_GAP", {"expected_event_id": "3"})

    def test_gap_in_a_history_that_does_not_exist(self):
        self.refused(lambda: self.append(passed(2)), grpc.StatusCode.FAILED_PRECONDITION,
                     "EVENT_GAP", {"expected_event_id": "1"})

    def test_anything_may_follow_a_terminal_event(self):
        def end(event_id, kind):
            return HistoryEvent(id=event_id, type="HISTORY_EVENT_TYPE_EXECUTION_" + kind,
                                previous_event_id=event_id - 1, timestamp=started().timestamp)

        for events in ([started(), end(2, "FAILED")], [end(3, "REDRIVEN")], [end(4, "SUCCEEDED")],
                       [end(5, "TIMED_OUT"), end(6, "ABORTED")], [passed(7)]):
            self.append(*events)
        self.assertEqual([e.id for e in self.client.history(self.arn)], list(range(1, 8)))

    def test_absent_and_empty_details_are_two_things(self):
        absent = HistoryEvent(id=2, type="HISTORY_EVENT_TYPE_EXECUTION_ABORTED", previous_event_id=1,
                              timestamp=started().timestamp)
        empty = HistoryEvent()
        empty.CopyFrom(absent)
        empty.id = 3
        empty.execution_aborted_event_details.SetInParent()
        self.append(started(), absent, empty)
        back = self.client.history(self.arn)
        self.assertEqual([e.WhichOneof("details") for e in back[1:]],
                         [None, "execution_aborted_event_details"])
        with annalsd.Gateway(self.server.gateway) as gateway:
            events = gateway.history(self.arn)
        self.assertNotIn("executionAbortedEventDetails", events[1])
        self.assertEqual(events[2]["executionAbortedEventDetails"], {})


class TimestampTest(ServerTest):
    """Timestamps never decrease."""

    def times(self):
        return [(e.timestamp.seconds, e.timestamp.nanos) for e in self.client.history(self.arn)]

    def test_left_out_is_set_to_now(self):
        before = annalsd.HistoryEvent().timestamp
        before.GetCurrentTime()
        answer = self.append(started(seconds=None), passed(2, seconds=None))
        self.assertEqual(self.counts(answer), (2, 2, 0, 0))
        (first, nanos), second = self.times()
        self.assertGreaterEqual((first, nanos), (before.seconds, before.nanos // 10**6 * 10**6))
        self.assertEqual(nanos % 10**6, 0)
        self.assertGreaterEqual(second, (first, nanos))

    def test_left_out_is_not_before_the_previous(self):
        self.append(started(seconds=4000000000), passed(2, seconds=None))
        self.append(passed(3, seconds=None))
        self.assertEqual(self.times(), [(4000000000, 0)] * 3)

    def test_retry_of_one_left_out(self):
        events = [started(seconds=None), passed(2, seconds=None)]
        self.append(*events)
        self.assertEqual(self.counts(self.append(*events)), (2, 0, 2, 0))

    def test_earlier_is_raised(self):
        answer = self.append(started(), passed(2, seconds=5), passed(3, seconds=1700000007),
                             passed(4, seconds=6))
        self.assertEqual(self.counts(answer), (4, 4, 0, 2))
        self.assertEqual(self.times(), [(1700000000, 0)] * 2 + [(1700000007, 0)] * 2)
        self.assertEqual(self.counts(self.append(passed(5, seconds=1))), (5, 1, 0, 1))
        self.assertEqual(self.times()[-1], (1700000007, 0))

    def test_retry_of_one_that_was_raised(self):
        events = [started(), passed(2, seconds=5)]
        self.append(*events)
        self.assertEqual(self.counts(self.append(*events)), (2, 0, 2, 1))
        self.assertEqual(self.counts(self.append(events[1])), (2, 0, 1, 1))

    def test_nanoseconds_are_kept(self):
        event = started()
        event.timestamp.nanos = 123456789
        self.append(event)
        self.assertEqual(self.times(), [(1700000000, 123456789)])
        with annalsd.Gateway(self.server.gateway) as gateway:
            self.assertIn(b'"timestamp":1700000000.123,', gateway.post({"executionArn": self.arn})[2])

    def test_years_1970_to_9999(self):
        last = passed(2, seconds=253402300799)
        last.timestamp.nanos = 999999999
        first = started(seconds=0)
        first.timestamp.SetInParent()
        self.append(first, last)
        self.assertEqual(self.times(), [(0, 0), (253402300799, 999999999)])

    def test_outside_of_them(self):
        for seconds, nanos in (-1, 0), (253402300800, 0), (1, -1), (1, 10**9):
            with self.subTest(seconds=seconds, nanos=nanos):
                event = passed(2)
                event.timestamp.seconds = seconds
                event.timestamp.nanos = nanos
                self.refused_event(event, "timestamp")


class FirstAppendTest(ServerTest):
    """What the first append tells, and later ones may repeat."""

    TOLD = {
        "state_machine_arn": "arn:aws:states:us-east-1:123456789012:stateMachine:Other",
        "map_run_arn": "arn:aws:states:us-east-1:123456789012:mapRun:Other/label:1",
        "item_count": 7,
        "trace_header": "Root=1-5e1b4151-5ac6c58f38da7fd6c9c5a0a1",
    }

    def test_repeated(self):
        self.append(started(), **self.TOLD)
        self.append(passed(2), **self.TOLD)
        self.append(passed(3))
        self.assertEqual(self.counts(self.append(passed(2), **self.TOLD)), (3, 0, 1, 0))

    def test_repeated_default(self):
        self.append(started())
        self.append(passed(2), state_machine_arn=(
            "arn:aws:states:us-east-1:123456789012:stateMachine:Machine"))

    def test_changed(self):
        self.append(started(), **self.TOLD)
        for field, value in ("state_machine_arn", self.TOLD["state_machine_arn"] + "2"), \
                ("map_run_arn", "arn:aws:other"), ("item_count", 8), ("trace_header", "Root=2"):
            with self.subTest(field=field):
                self.refused(lambda: self.append(passed(2), **{field: value}),
                             grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST",
                             {"field": field}, [field])
        self.assertEqual(len(self.client.history(self.arn)), 1)

    def test_told_too_late(self):
        self.append(started())
        for field, value in self.TOLD.items():
            with self.subTest(field=field):
                self.refused(lambda: self.append(passed(2), **{field: value}),
                             grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST",
                             {"field": field}, [field])

    def test_not_allowed(self):
        for field, value in ("state_machine_arn", "arn:aws:states:us-east-1:1:stateMachine:M"), \
                ("state_machine_arn", self.arn), ("map_run_arn", "x" * 2001), ("item_count", -1), \
                ("trace_header", "x" * 257), ("trace_header", "é"):
            with self.subTest(field=field, value=value[:20] if isinstance(value, str) else value):
                self.refused(lambda: self.append(started(), **{field: value}),
                             grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST",
                             {"field": field}, [field])

    def test_longest(self):
        self.append(started(), map_run_arn="x" * 2000, trace_header="x" * 256,
                    item_count=2**31 - 1)


class NoSpaceTest(ServerTest):
    """A disk that is said to be nearly full: appends are refused, reads go on."""

    options = ("--min-free-space", "1")

    def test_no_space(self):
        self.append(started())
        self.client.close()
        self.server.args = ("--min-free-space", str(2**31 - 1))
        self.server.restart()
        type(self).client = annalsd.Client(self.server.grpc)
        self.refused(lambda: self.append(passed(2)), grpc.StatusCode.UNAVAILABLE, "NO_SPACE", {},
                     retry=5.0)
        self.assertEqual(self.client.history(self.arn), [started()])


class CorruptTest(ServerTest):
    """Stored bytes that have changed are never served."""

    def test_flipped_byte(self):
        events = annalsd.simple_history(200)
        self.append(*events)
        self.server.restart()  # into a file
        self.server.stop()
        files = glob.glob(self.server.data_dir + "/**/*.sst", recursive=True)
        with open(max(files, key=os.path.getsize), "r+b") as f:
            byte = f.read(101)[100]
            f.seek(100)
            f.write(bytes([byte ^ 1]))
        self.server.start()
        with annalsd.Client(self.server.grpc) as client, \
                annalsd.Gateway(self.server.gateway) as gateway:
            self.refused(lambda: client.history(self.arn), grpc.StatusCode.DATA_LOSS,
                         "DATA_CORRUPTED", {"execution_arn": self.arn})
            self.assertEqual(gateway.error({"executionArn": self.arn})[:2],
                             (500, "com.amazon.coral.service#InternalFailure"))


if __name__ == "__main__":
    unittest_xml.main()
