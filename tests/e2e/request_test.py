#!/usr/bin/python3
"""What events, requests and ARNs may be, and the exact error of each that may not."""

import grpc

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import CallError, HistoryEvent, length_delimited, passed, started, \
    varint_field
from tests.e2e.server_test_case import ServerTest

MIB = 1 << 20


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
        self.refused(self.append, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST",
                     {"field": "events"}, ["events"])

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
                                     {"field": "max_results"}, ["max_results"])
                self.assertEqual(error.violations[0][1], "Member must have value " + (
                    "greater than or equal to 0" if value < 0 else "less than or equal to 1000"))

    def test_max_results_0_is_100(self):
        self.append(*annalsd.simple_history(150))
        self.assertEqual(len(self.client.page(self.arn).events), 100)

    def test_token_too_long(self):
        self.refused(lambda: self.client.page(self.arn, next_token="x" * 1025),
                     grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST",
                     {"field": "next_token"}, ["next_token"])

    def test_all_violations_are_named(self):
        self.refused(lambda: self.client.page("", max_results=-1, next_token="x" * 1025),
                     grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST",
                     {"field": "execution_arn"}, ["execution_arn", "max_results", "next_token"])

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
                     "INVALID_REQUEST", {"field": "execution_arn"}, ["execution_arn"])

    def test_missing(self):
        self.refused(lambda: self.client.append("", [started()]),
                     grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARN", {})


if __name__ == "__main__":
    unittest_xml.main()
