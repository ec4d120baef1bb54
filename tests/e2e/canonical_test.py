#!/usr/bin/python3
"""One event, one form: however a client serialises an event, it is the same event."""

import json
import unittest

from google.protobuf import json_format

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import length_delimited, started, varint, varint_field

ARN = annalsd.arn
EXITED = 39  # PassStateExited
FAILED = 42  # TaskFailed


def overlong(number, value):
    """A varint field with a byte more than it needs."""
    return varint(number << 3) + bytes([value | 0x80, 0])


def entry(key, value):
    return length_delimited(4, length_delimited(1, key) + length_delimited(2, value))


TIMESTAMP = length_delimited(1, varint_field(1, 1700000000) + varint_field(2, 5000000))
HEAD = [TIMESTAMP, varint_field(2, EXITED), varint_field(3, 2), varint_field(4, 1)]
NAME = length_delimited(1, "Pass")
OUTPUT = length_delimited(2, "{}")
DETAILS = length_delimited(3, varint_field(1, 1))
MAP = [entry("a", "1"), entry("aa", "2"), entry("b", "3")]
VARIABLES = length_delimited(5, varint_field(1, 1))

CANONICAL = b"".join(HEAD) + length_delimited(
    6, NAME + OUTPUT + DETAILS + b"".join(MAP) + VARIABLES)

JSON = {
    "timestamp": 1700000000.005,
    "type": "PassStateExited",
    "id": 2,
    "previousEventId": 1,
    "stateExitedEventDetails": {
        "name": "Pass",
        "output": "{}",
        "outputDetails": {"truncated": True},
        "assignedVariables": {"a": "1", "aa": "2", "b": "3"},
        "assignedVariablesDetails": {"truncated": True},
    },
}

WHOLE = NAME + OUTPUT + DETAILS + b"".join(MAP) + VARIABLES

VARIANTS = {
    "as_it_is": CANONICAL,
    "fields_in_another_order": length_delimited(
        6, VARIABLES + b"".join(MAP) + DETAILS + OUTPUT + NAME) + b"".join(reversed(HEAD)),
    "details_between": HEAD[3] + length_delimited(6, WHOLE) + b"".join(HEAD[:3]),
    "details_in_two_parts": b"".join(HEAD) + length_delimited(6, NAME + MAP[2]) + length_delimited(
        6, OUTPUT + DETAILS + MAP[0] + MAP[1] + VARIABLES),
    "details_in_many_parts": length_delimited(6, b"") + HEAD[0] + length_delimited(6, NAME) + HEAD[
        1] + length_delimited(6, OUTPUT) + HEAD[2] + length_delimited(6, DETAILS) + HEAD[3] + b"".join(
            length_delimited(6, m) for m in MAP) + length_delimited(6, VARIABLES),
    "timestamp_in_two_parts": length_delimited(1, varint_field(2, 5000000)) + b"".join(
        HEAD[1:]) + length_delimited(6, WHOLE) + length_delimited(1, varint_field(1, 1700000000)),
    "details_of_details_in_two_parts": b"".join(HEAD) + length_delimited(
        6, NAME + OUTPUT + length_delimited(3, b"") + b"".join(MAP) + VARIABLES + DETAILS),
    "map_in_another_order": b"".join(HEAD) + length_delimited(
        6, NAME + OUTPUT + DETAILS + b"".join(reversed(MAP)) + VARIABLES),
    "map_with_a_key_twice": b"".join(HEAD) + length_delimited(
        6, NAME + OUTPUT + DETAILS + entry("b", "old") + b"".join(MAP) + VARIABLES),
    "map_between_others": b"".join(HEAD) + length_delimited(
        6, MAP[1] + NAME + MAP[0] + OUTPUT + DETAILS + VARIABLES + MAP[2]),
    "map_entry_value_first": b"".join(HEAD) + length_delimited(
        6, NAME + OUTPUT + DETAILS + length_delimited(4, length_delimited(2, "1") + length_delimited(
            1, "a")) + MAP[1] + MAP[2] + VARIABLES),
    "map_entry_key_twice": b"".join(HEAD) + length_delimited(
        6, NAME + OUTPUT + DETAILS + length_delimited(4, length_delimited(1, "z") + length_delimited(
            1, "a") + length_delimited(2, "1")) + MAP[1] + MAP[2] + VARIABLES),
    "scalars_twice": varint_field(3, 77) + varint_field(2, 1) + b"".join(HEAD) + length_delimited(
        6, length_delimited(1, "Old") + WHOLE),
    "overlong_varints": TIMESTAMP + overlong(2, EXITED) + overlong(3, 2) + overlong(
        4, 1) + length_delimited(6, WHOLE),
    "bool_of_two": b"".join(HEAD) + length_delimited(
        6, NAME + OUTPUT + length_delimited(3, varint_field(1, 2)) + b"".join(MAP) + VARIABLES),
    "other_details_before": b"".join(HEAD) + length_delimited(
        30, length_delimited(1, "Error")) + length_delimited(6, WHOLE),
    "other_details_between": b"".join(HEAD) + length_delimited(6, length_delimited(
        1, "Lost") + entry("lost", "")) + length_delimited(5, b"") + length_delimited(6, WHOLE),
}

# Defaults on the wire, of an event that has as few members as can be.
BARE = TIMESTAMP + varint_field(2, FAILED) + varint_field(3, 2) + length_delimited(20, b"")
BARE_VARIANTS = {
    "bare": BARE,
    "bare_with_zero": BARE + varint_field(4, 0),
    "bare_with_empty_strings": TIMESTAMP + varint_field(2, FAILED) + varint_field(
        3, 2) + length_delimited(20, b"".join(length_delimited(i, b"") for i in range(1, 5))),
}


def unique_keys(pairs):
    keys = [k for k, _ in pairs]
    assert len(set(keys)) == len(keys), keys
    return dict(pairs)


class CanonicalTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd()
        cls.addClassCleanup(cls.server.stop)
        cls.client = annalsd.Client(cls.server.grpc)
        cls.addClassCleanup(cls.client.close)
        cls.gateway = annalsd.Gateway(cls.server.gateway)
        cls.addClassCleanup(cls.gateway.close)

    def stored(self, arn):
        """The bytes of the second event, as they stand in an answer over gRPC."""
        frame = length_delimited(1, started().SerializeToString(deterministic=True))
        answer = self.client.call("GetExecutionHistory", length_delimited(1, arn))
        self.assertTrue(answer.startswith(frame))
        return answer[len(frame):]

    def check(self, first, then, canonical, expected):
        arn = ARN("%s.%s" % (first[0], then[0]))
        self.client.append(arn, [started(), first[1]])
        self.assertEqual(self.stored(arn), length_delimited(1, canonical))
        answer = self.client.append(arn, [then[1]])
        self.assertEqual((answer.last_event_id, answer.appended_count, answer.already_stored_count,
                          answer.adjusted_timestamp_count), (2, 0, 1, 0))
        _, _, body = self.gateway.post({"executionArn": arn})
        self.assertEqual(json.loads(body, object_pairs_hook=unique_keys)["events"][1], expected)

    def test_variants_are_what_python_takes_them_for(self):
        for name, variant in VARIANTS.items():
            with self.subTest(name):
                self.assertEqual(*(json_format.MessageToDict(annalsd.HistoryEvent.FromString(b))
                                   for b in (variant, CANONICAL)))

    def test_each_is_stored_as_the_same_and_retried_by_the_same(self):
        for name, variant in VARIANTS.items():
            with self.subTest(name):
                self.check((name, variant), ("as_it_is", CANONICAL), CANONICAL, JSON)

    def test_each_is_a_retry_of_the_same(self):
        for name, variant in VARIANTS.items():
            with self.subTest(name):
                self.check(("as_it_is", CANONICAL), (name, variant), CANONICAL, JSON)

    def test_defaults(self):
        expected = {
            "timestamp": 1700000000.005, "type": "TaskFailed", "id": 2, "previousEventId": 0,
            "taskFailedEventDetails": {"resourceType": "", "resource": ""},
        }
        for name, variant in BARE_VARIANTS.items():
            for other_name, other in BARE_VARIANTS.items():
                with self.subTest(name + ", " + other_name):
                    self.check((name, variant), (other_name, other), BARE, expected)


if __name__ == "__main__":
    unittest_xml.main()
