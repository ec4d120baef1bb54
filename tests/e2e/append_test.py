#!/usr/bin/python3
"""The append contract and the errors of both calls, line by line, over the wire."""

import glob
import os
import unittest

import grpc

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import CallError, HistoryEvent, length_delimited, passed, started, \
    varint_field

MIB = 1 << 20


class ServerTest(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd(*cls.options)
        cls.addClassCleanup(cls.server.stop)
        cls.client = annalsd.Client(cls.server.grpc)
        cls.addClassCleanup(cls.client.close)

    def setUp(self):
        self.arn = annalsd.arn(self.id().rpartition(".")[2])

    def append(self, *events, **more):
        return self.client.append(self.arn, events, **more)

    def counts(self, answer):
        return (answer.last_event_id, answer.appended_count, answer.already_stored_count,
                answer.adjusted_timestamp_count)

    def refused(self, call, code, reason, metadata, violations=None, retry=None):
        """Checks all that the status of a failed call says, but for the text."""
        with self.assertRaises(CallError) as caught:
            call()
        error = caught.exception
        self.assertEqual((error.code, error.reason, error.metadata), (code, reason, metadata),
                         error.message)
        self.assertEqual(error.domain, "annals.v1")
        self.assertEqual(error.status.code, error.code.value[0])
        self.assertEqual(error.status.message, error.message)
        self.assertNotEqual(error.message, "")
        self.assertLess(len(error.status_bytes), 4096)
        self.assertEqual([f for f, _ in error.violations], violations or [])
        self.assertEqual(error.retry, retry)
        return error

    def refused_event(self, event, field, index=1, reason="INVALID_EVENT", **more):
        """Checks that an event is refused, and that nothing of its batch is stored."""
        path = "events[%d]" % index + ("." + field if field else "")
        error = self.refused(lambda: self.append(started(), event),
                             grpc.StatusCode.INVALID_ARGUMENT, reason,
                             {"event_index": str(index), "field": field, **more}, [path])
        self.refused(lambda: self.client.page(self.arn), grpc.StatusCode.NOT_FOUND,
                     "EXECUTION_DOES_NOT_EXIST", {"execution_arn": self.arn})
        return error


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


class EventTest(ServerTest):
    """What an event may be."""

    def test_no_type(self):
        self.refused_event(HistoryEvent(id=2), "type")

    def test_unknown_type(self):
        self.refused_event(varint_field(2, 63) + varint_field(3, 2), "type")

    def test_first_is_another_type(self):
        self.refused(lambda: self.append(passed(1)), grpc.StatusCode.INVALID_ARGUMENT,
                     "INVALID_EVENT", {"event_index": "0", "field": "type"}, ["events[0].type"])

    def test_ids_below_1(self):
        for event_id in (0, -1, -2**63):
            with self.subTest(event_id=event_id):
                event = started()
                event.id = event_id
                self.refused(lambda: self.append(event), grpc.StatusCode.INVALID_ARGUMENT,
                             "INVALID_EVENT", {"event_index": "0", "field": "id"}, ["events[0].id"])

    def test_ids_with_a_hole(self):
        self.refused_event(passed(3), "id")

    def test_ids_twice(self):
        self.refused_event(started(), "id")

    def test_previous_event_id(self):
        for previous in (2, 3, -1, 2**63 - 1):
            with self.subTest(previous=previous):
                event = passed(2)
                event.previous_event_id = previous
                self.refused_event(event, "previous_event_id")

    def test_details_of_another_type(self):
        event = passed(2)
        event.execution_failed_event_details.error = "E"
        self.refused_event(event, "execution_failed_event_details")

    def test_details_of_a_type_that_has_none(self):
        event = HistoryEvent(id=2, type="HISTORY_EVENT_TYPE_PARALLEL_STATE_STARTED")
        event.state_entered_event_details.name = "x"
        self.refused_event(event, "state_entered_event_details")

    def test_unknown_fields(self):
        self.refused_event(passed(2).SerializeToString() + varint_field(99, 1), "")

    def test_unknown_fields_in_details(self):
        details = length_delimited(1, "Pass") + varint_field(77, 1)
        self.refused_event(varint_field(2, 38) + varint_field(3, 2) + length_delimited(5, details),
                           "state_entered_event_details")

    def test_unknown_fields_in_a_map_entry(self):
        entry = length_delimited(1, "key") + varint_field(3, 1)
        self.refused_event(varint_field(2, 39) + varint_field(3, 2) + length_delimited(
            6, length_delimited(4, entry)), "state_exited_event_details.assigned_variables")

    def test_wrong_wire_type(self):
        self.refused_event(varint_field(2, 38) + length_delimited(3, "2"), "id")

    def test_invalid_utf8(self):
        details = length_delimited(1, "Pass") + length_delimited(2, b"\xff")
        self.refused_event(varint_field(2, 38) + varint_field(3, 2) + length_delimited(5, details),
                           "state_entered_event_details.input")

    def test_surrogate(self):
        details = length_delimited(1, b"\xed\xa0\x80")
        self.refused_event(varint_field(2, 38) + varint_field(3, 2) + length_delimited(5, details),
                           "state_entered_event_details.name")

    def test_nul_character(self):
        self.refused_event(passed(2, payload="a\0b"), "state_entered_event_details.input")

    def test_nul_character_in_a_map(self):
        event = HistoryEvent(id=2, type="HISTORY_EVENT_TYPE_PASS_STATE_EXITED")
        event.state_exited_event_details.assigned_variables["a\0"] = "b"
        self.refused_event(event, "state_exited_event_details.assigned_variables")

    def test_truncated_bytes(self):
        self.refused_event(passed(2).SerializeToString()[:-1], "")

    def test_lengths_over_the_model(self):
        for event_type, member, field, limit in (
                ("PASS_STATE_ENTERED", "state_entered_event_details", "name", 80),
                ("PASS_STATE_ENTERED", "state_entered_event_details", "input", 262144),
                ("PASS_STATE_EXITED", "state_exited_event_details", "output", 262144),
                ("TASK_SCHEDULED", "task_scheduled_event_details", "parameters", 262144),
                ("TASK_SCHEDULED", "task_scheduled_event_details", "resource", 80),
                ("TASK_FAILED", "task_failed_event_details", "error", 256),
                ("TASK_FAILED", "task_failed_event_details", "cause", 32768),
                ("ACTIVITY_SCHEDULED", "activity_scheduled_event_details", "resource", 256),
                ("MAP_RUN_STARTED", "map_run_started_event_details", "map_run_arn", 2000),
                ("EVALUATION_FAILED", "evaluation_failed_event_details", "location", 256)):
            with self.subTest(member=member, field=field):
                event = HistoryEvent(id=2, type="HISTORY_EVENT_TYPE_" + event_type)
                setattr(getattr(event, member), field, "x" * (limit + 1))
                self.refused_event(event, member + "." + field, reason="LIMIT_EXCEEDED",
                                   limit=str(limit))

    def test_lengths_count_bytes(self):
        self.refused_event(passed(2, name="é" * 41), "state_entered_event_details.name",
                           reason="LIMIT_EXCEEDED", limit="80")

    def test_longest(self):
        self.append(started(), passed(2, name="é" * 40, payload="x" * 262144))
        self.assertEqual(len(self.client.history(self.arn)[1].state_entered_event_details.input),
                         262144)

    def test_assigned_variables_over_the_limit(self):
        event = HistoryEvent(id=2, type="HISTORY_EVENT_TYPE_PASS_STATE_EXITED")
        variables = event.state_exited_event_details.assigned_variables
        variables["aa"] = "x" * 131070
        variables["bb"] = "x" * 131070
        self.append(started(), event)
        variables["bb"] += "x"
        self.arn += "2"
        self.refused_event(event, "state_exited_event_details.assigned_variables",
                           reason="LIMIT_EXCEEDED", limit="262144")


class RequestTest(ServerTest):
    """What a request may be."""

    def test_no_events(self):
        self.refused(self.append, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {},
                     ["events"])

    def test_1000_events(self):
        events = annalsd.simple_history(1001)
        self.assertEqual(self.append(*events[:1000]).last_event_id, 1000)
        self.arn += "2"
        self.refused(lambda: self.append(*events), grpc.StatusCode.INVALID_ARGUMENT,
                     "LIMIT_EXCEEDED", {"field": "events", "limit": "1000"}, ["events"])

    def test_event_over_1_mib(self):
        event = passed(2).SerializeToString()
        # The same input again and again: each is small enough, and the last one counts.
        again = length_delimited(5, length_delimited(2, "x" * 262144))
        self.refused_event(event + again * 4, "", reason="LIMIT_EXCEEDED", limit=str(MIB))
        self.append(started(), event + again * 3)

    def test_4_mib(self):
        big = length_delimited(5, length_delimited(2, "x" * 262144)) * 3
        events = [passed(i).SerializeToString() + big for i in range(2, 8)]
        self.refused(lambda: self.append(started(), *events), grpc.StatusCode.INVALID_ARGUMENT,
                     "LIMIT_EXCEEDED", {"field": "events", "limit": str(4 * MIB)}, ["events"])
        self.append(started(), *events[:5])

    def test_over_what_the_transport_takes(self):
        with self.assertRaises(CallError) as caught:
            self.client.call("AppendHistoryEvents", b"\x0a" + b"\0" * (8 * MIB + 1))
        self.assertEqual(caught.exception.code, grpc.StatusCode.RESOURCE_EXHAUSTED)

    def test_unknown_field(self):
        self.refused(lambda: self.client.call("AppendHistoryEvents", length_delimited(
            1, self.arn) + varint_field(15, 1)), grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST", {"field": "request"}, ["request"])

    def test_not_protobuf(self):
        for method in "AppendHistoryEvents", "GetExecutionHistory":
            with self.subTest(method=method):
                self.refused(lambda: self.client.call(method, b"\x0a\x7f"),
                             grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST",
                             {"field": "request"}, ["request"])

    def test_unknown_method(self):
        with self.assertRaises(CallError) as caught:
            self.client.call("Forget", b"", timeout=annalsd.WAIT_S)
        self.assertEqual(caught.exception.code, grpc.StatusCode.UNIMPLEMENTED)

    def test_unknown_service(self):
        stub = self.client.channel.unary_unary("/no.such.Service/Method")
        with self.assertRaises(grpc.RpcError) as caught:
            stub(b"", timeout=annalsd.WAIT_S)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_no_such_execution(self):
        self.refused(lambda: self.client.page(self.arn), grpc.StatusCode.NOT_FOUND,
                     "EXECUTION_DOES_NOT_EXIST", {"execution_arn": self.arn})

    def test_max_results(self):
        for value in (-1, 1001, 2**31 - 1):
            with self.subTest(value=value):
                error = self.refused(lambda: self.client.page(self.arn, max_results=value),
                                     grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST",
                                     {}, ["max_results"])
                self.assertEqual(error.violations[0][1], "Member must have value " + (
                    "greater than or equal to 0" if value < 0 else "less than or equal to 1000"))

    def test_max_results_0_is_100(self):
        self.append(*annalsd.simple_history(150))
        self.assertEqual(len(self.client.page(self.arn).events), 100)

    def test_token_too_long(self):
        self.refused(lambda: self.client.page(self.arn, next_token="x" * 1025),
                     grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST",
                     {}, ["next_token"])

    def test_all_violations_are_named(self):
        self.refused(lambda: self.client.page("", max_results=-1, next_token="x" * 1025),
                     grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST",
                     {}, ["execution_arn", "max_results", "next_token"])

    def test_nothing_leaks_into_messages(self):
        error = self.refused_event(passed(2, payload="SECRET\0"),
                                   "state_entered_event_details.input")
        self.assertNotIn(b"SECRET", error.status_bytes)


class ArnTest(ServerTest):
    """ARNs that name no execution."""

    GOOD = (
        "arn:aws:states:us-east-1:123456789012:execution:M:N",
        "arn:aws-cn:states:cn-north-1:123456789012:execution:M:N",
        "arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:M:N",
        "arn:aws:states:us-east-1:123456789012:execution:Machine/Label:N",
        "arn:aws:states:us-east-1:123456789012:execution:M:" + "n" * 80,
        "arn:aws:states:us-east-1:123456789012:execution:M:Grüße-日本_(1)+.!@='",
    )
    BAD = (
        "nothing",
        "urn:aws:states:us-east-1:123456789012:execution:M:N",
        "arn:aws:states:us-east-1:123456789012:execution:M",
        "arn:aws:states:us-east-1:123456789012:execution:M:N:O",
        "arn:aws:states:us-east-1:123456789012:express:M:N:O",
        "arn:aws:states:us-east-1:123456789012:stateMachine:M",
        "arn:aws:states:us-east-1:123456789012:activity:M",
        "arn:aws:sqs:us-east-1:123456789012:execution:M:N",
        "arn:azure:states:us-east-1:123456789012:execution:M:N",
        "arn:awsome:states:us-east-1:123456789012:execution:M:N",
        "arn:aws:states::123456789012:execution:M:N",
        "arn:aws:states:US_EAST:123456789012:execution:M:N",
        "arn:aws:states:us-east-1:12345678901:execution:M:N",
        "arn:aws:states:us-east-1:1234567890123:execution:M:N",
        "arn:aws:states:us-east-1:12345678901x:execution:M:N",
        "arn:aws:states:us-east-1:123456789012:execution::N",
        "arn:aws:states:us-east-1:123456789012:execution:M:",
        "arn:aws:states:us-east-1:123456789012:execution:M/:N",
        "arn:aws:states:us-east-1:123456789012:execution:M/a/b:N",
        "arn:aws:states:us-east-1:123456789012:execution:M:" + "n" * 81,
        "arn:aws:states:us-east-1:123456789012:execution:M:a b",
        "arn:aws:states:us-east-1:123456789012:execution:M:a*",
        "arn:aws:states:us-east-1:123456789012:execution:M:a\nb",
        "arn:aws:states:us-east-1:123456789012:execution:M:a/b",
    )

    def test_good(self):
        for arn in self.GOOD:
            with self.subTest(arn=arn):
                self.client.append(arn, [started()])
                self.assertEqual(self.client.history(arn), [started()])

    def test_bad(self):
        for arn in self.BAD:
            with self.subTest(arn=arn):
                for call in (lambda: self.client.append(arn, [started()]),
                             lambda: self.client.page(arn)):
                    self.refused(call, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARN", {})

    def test_too_long(self):
        arn = "arn:aws:states:us-east-1:123456789012:execution:" + "é" * 80 + ":" + "é" * 80
        self.refused(lambda: self.client.append(arn, [started()]),
                     grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARN", {})
        self.refused(lambda: self.client.page(arn), grpc.StatusCode.INVALID_ARGUMENT,
                     "INVALID_REQUEST", {}, ["execution_arn"])

    def test_missing(self):
        self.refused(lambda: self.client.append("", [started()]),
                     grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARN", {})


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
                         "DATA_CORRUPTED", {})
            self.assertEqual(gateway.error({"executionArn": self.arn})[:2],
                             (500, "com.amazon.coral.service#InternalFailure"))


if __name__ == "__main__":
    unittest_xml.main()
