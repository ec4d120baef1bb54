#!/usr/bin/python3
"""Page tokens: which are given out, and which are taken."""

import base64
import os
import time
import unittest

import grpc

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import CallError

EVENTS = 60
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
INVALID = (400, "com.amazonaws.swf.service.v2.model#InvalidToken", "Invalid Token: 'Invalid token'")


class ServerTest(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd(*cls.options)
        cls.addClassCleanup(cls.server.stop)
        cls.connect()
        cls.arn = annalsd.arn("tokens")
        cls.events = annalsd.simple_history(EVENTS)
        cls.client.append(cls.arn, cls.events)
        cls.client.append(annalsd.arn("other"), cls.events)

    @classmethod
    def connect(cls):
        cls.client = annalsd.Client(cls.server.grpc)
        cls.addClassCleanup(cls.client.close)
        cls.gateway = annalsd.Gateway(cls.server.gateway)
        cls.addClassCleanup(cls.gateway.close)

    def token(self, **more):
        return self.client.page(self.arn, max_results=7, **more).next_token

    def refused(self, token, arn=None, include=None, reverse=False):
        """Checks that a token is refused over both transports."""
        arn = arn or self.arn
        with self.assertRaises(CallError) as caught:
            self.client.page(arn, next_token=token, include=include, reverse_order=reverse)
        error = caught.exception
        self.assertEqual((error.code, error.reason, error.metadata),
                         (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_TOKEN", {}))
        self.assertEqual(self.gateway.error({
            "executionArn": arn, "nextToken": token, "reverseOrder": reverse,
            "includeExecutionData": include is not False}), INVALID)


class TokenTest(ServerTest):
    def test_all_different_and_short(self):
        for reverse in False, True:
            for include in False, True:
                pages = list(self.client.pages(self.arn, max_results=1, reverse_order=reverse,
                                               include=include))
                tokens = [p.next_token for p in pages[:-1]]
                self.assertEqual(len(tokens), EVENTS - 1)
                self.assertEqual(len(set(tokens)), len(tokens))
                for token in tokens:
                    self.assertLessEqual(len(token), 1024)
                    self.assertLessEqual(set(token.encode()), set(ALPHABET))

    def test_absent_on_the_last_page(self):
        for size in (1, 2, 30, 59, 60, 61, 1000):
            pages = list(self.client.pages(self.arn, max_results=size))
            self.assertEqual(len(pages), -(-EVENTS // size))
            bodies = list(self.gateway.pages(self.arn, maxResults=size))
            self.assertEqual(len(bodies), len(pages))
            self.assertNotIn("nextToken", bodies[-1])

    def test_may_be_used_again(self):
        token = self.token()
        first = self.client.page(self.arn, next_token=token, max_results=9).events
        self.assertEqual(list(first), self.events[7:16])
        self.assertEqual(self.client.page(self.arn, next_token=token, max_results=9).events, first)

    def test_max_results_may_change(self):
        token = self.token(reverse_order=True)
        page = self.client.page(self.arn, next_token=token, max_results=1000, reverse_order=True)
        self.assertEqual(list(page.events), self.events[-8::-1])

    def test_goes_on_over_the_other_transport(self):
        page = self.gateway.page(self.arn, nextToken=self.token(), maxResults=2)
        self.assertEqual([e["id"] for e in page["events"]], [8, 9])
        page = self.client.page(self.arn, next_token=page["nextToken"])
        self.assertEqual(page.events[0].id, 10)

    def test_sees_what_was_appended_since(self):
        arn = annalsd.arn("growing")
        self.client.append(arn, self.events[:10])
        token = self.client.page(arn, max_results=9).next_token
        self.client.append(arn, self.events[10:20])
        page = self.client.page(arn, next_token=token)
        self.assertEqual([e.id for e in page.events], list(range(10, 21)))

    def test_another_direction(self):
        self.refused(self.token(), reverse=True)
        self.refused(self.token(reverse_order=True))

    def test_another_flag(self):
        self.refused(self.token(), include=False)
        self.refused(self.token(include=False))

    def test_another_execution(self):
        self.refused(self.token(), arn=annalsd.arn("other"))

    def test_an_execution_that_is_not_there(self):
        self.refused(self.token(), arn=annalsd.arn("nobody"))

    def test_altered_in_any_byte(self):
        token = self.token().encode()
        for i in range(len(token)):
            # Neighbours in base64's alphabet differ in the last bit, which padding may hide.
            place = ALPHABET.index(token[i])
            for other in (place ^ 1, place ^ 32):
                altered = token[:i] + ALPHABET[other:other + 1] + token[i + 1:]
                self.refused(altered.decode())

    def test_cut_or_longer(self):
        token = self.token()
        for altered in [token[:n] for n in range(1, len(token))] + [token + "A", "A" + token,
                                                                     token + "=", token * 2]:
            if len(altered) <= 1024:
                self.refused(altered)

    def test_rubbish(self):
        standard = base64.b64encode(b"\xff" * 90).decode()
        for text in ("x", "?", standard, "é" * 10, " " + self.token(), self.token() + "\n",
                     base64.urlsafe_b64encode(os.urandom(100)).decode(), "A" * 1024):
            self.refused(text)

    def test_survives_a_restart(self):
        token = self.token()
        self.server.restart()
        self.connect()
        self.assertEqual(self.client.page(self.arn, next_token=token).events[0].id, 8)

    def test_not_of_another_server(self):
        with annalsd.Annalsd() as server, annalsd.Client(server.grpc) as client:
            client.append(self.arn, self.events)
            token = client.page(self.arn, max_results=7).next_token
        self.refused(token)


class KeyFileTest(unittest.TestCase):
    """Replicas that share a key take each other's tokens; an old key is taken while it is listed."""

    def setUp(self):
        self.path = os.path.join(annalsd.new_dir(), "key")
        self.arn = annalsd.arn("tokens")

    def start(self, *keys):
        with open(self.path, "w", encoding="ascii") as f:
            f.write("".join(k * 64 + "\n" for k in keys))
        server = annalsd.Annalsd("--page-token-key-file", self.path)
        self.addCleanup(server.stop)
        client = annalsd.Client(server.grpc)
        self.addCleanup(client.close)
        client.append(self.arn, annalsd.simple_history(10))
        return client

    def test_shared_and_rotated(self):
        token = self.start("a").page(self.arn, max_results=3).next_token
        for keys in ("a",), ("b", "a"):
            page = self.start(*keys).page(self.arn, next_token=token)
            self.assertEqual(page.events[0].id, 4)
        with self.assertRaises(CallError) as caught:
            self.start("b").page(self.arn, next_token=token)
        self.assertEqual(caught.exception.reason, "INVALID_TOKEN")


class ExpiryTest(ServerTest):
    """Tokens that are good for no time at all: in the next millisecond they have expired."""

    options = ("--page-token-ttl", "0")

    def test_expired(self):
        token = self.token()
        given = time.time_ns() // 10**6
        while time.time_ns() // 10**6 <= given:
            pass
        self.refused(token)


if __name__ == "__main__":
    unittest_xml.main()
