#!/usr/bin/python3
"""Page tokens: which are given out, and which are taken."""

import base64
import os
import threading
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


class RotationTest(unittest.TestCase):
    """One server, whose key is replaced while clients hold tokens."""

    def write(self, *keys):
        with open(self.path, "w", encoding="ascii") as f:
            f.write("".join(k * 64 + "\n" for k in keys))

    def page(self, **more):
        with annalsd.Gateway(self.server.gateway) as gateway:
            return gateway.page(self.arn, maxResults=2, **more)

    def refused(self, token):
        with annalsd.Gateway(self.server.gateway) as gateway:
            self.assertEqual(gateway.error({"executionArn": self.arn, "nextToken": token}), INVALID)
        with annalsd.Client(self.server.grpc) as client, self.assertRaises(CallError) as caught:
            client.page(self.arn, next_token=token)
        self.assertEqual(caught.exception.reason, "INVALID_TOKEN")

    def rotate(self, renew):
        self.path = os.path.join(annalsd.new_dir(), "key")
        self.arn = annalsd.arn("tokens")
        self.write("a")
        self.server = annalsd.Annalsd("--page-token-key-file", self.path)
        self.addCleanup(self.server.stop)
        with annalsd.Client(self.server.grpc) as client:
            client.append(self.arn, annalsd.simple_history(9))
        old = self.page()["nextToken"]
        self.write("b", "a")
        renew()
        page = self.page(nextToken=old)
        self.assertEqual([e["id"] for e in page["events"]], [3, 4])
        new = page["nextToken"]
        self.write("b")
        renew()
        self.refused(old)
        self.assertEqual([e["id"] for e in self.page(nextToken=new)["events"]], [5, 6])
        self.write("c")
        renew()
        self.refused(new)

    def test_with_restarts(self):
        self.rotate(lambda: self.server.restart())

    def test_without_restarts(self):
        self.rotate(lambda: self.server.reload("page token keys reloaded"))
        last = self.page()["nextToken"]
        self.write("not a key")
        self.server.reload("page token keys stay as they were")
        self.page(nextToken=last)


class AppendingTest(ServerTest):
    """Histories that are read page by page while they grow."""

    COUNT = 600

    def setUp(self):
        self.arn = annalsd.arn(self.id().rpartition(".")[2])
        self.stored = 1  # acknowledged
        self.client.append(self.arn, annalsd.simple_history(1))
        self.writer = threading.Thread(target=self.write)

    def write(self):
        with annalsd.Client(self.server.grpc) as client:
            while self.stored < self.COUNT:
                events = annalsd.simple_history(self.stored % 5 + 1, self.stored + 1)
                self.stored = client.append(self.arn, events).last_event_id

    def read(self, pages, ids, reverse):
        """Lists again and again until the writer is done, and once more."""
        listings = 0
        self.writer.start()
        while True:
            last = not self.writer.is_alive()
            before = self.stored
            found = [i for page in pages(listings) for i in ids(page)]
            # Those of which the client had been told before, and perhaps more; each one once.
            self.assertGreaterEqual(len(found), before)
            expected = list(range(1, len(found) + 1))
            self.assertEqual(found, expected[::-1] if reverse else expected)
            listings += 1
            if last:
                break
        self.writer.join()
        self.assertEqual(len(found), self.stored)
        self.assertGreater(listings, 1)

    def read_http(self, reverse):
        with annalsd.Gateway(self.server.gateway) as gateway:
            self.read(lambda n: gateway.pages(self.arn, maxResults=n % 60 + 20,
                                              reverseOrder=reverse),
                      lambda page: [e["id"] for e in page["events"]], reverse)

    def read_grpc(self, reverse):
        self.read(lambda n: self.client.pages(self.arn, max_results=n % 60 + 20,
                                              reverse_order=reverse),
                  lambda page: [e.id for e in page.events], reverse)

    def test_forward_over_http(self):
        self.read_http(False)

    def test_reverse_over_http(self):
        self.read_http(True)

    def test_forward_over_grpc(self):
        self.read_grpc(False)

    def test_reverse_over_grpc(self):
        self.read_grpc(True)

    def test_reverse_stays_on_the_list_as_it_stood(self):
        token, found = {}, []
        for n in range(1, 200):
            page = self.gateway.page(self.arn, maxResults=1 + n % 2, reverseOrder=True, **token)
            found += [e["id"] for e in page["events"]]
            self.client.append(self.arn, annalsd.simple_history(3, self.stored + 1))
            self.stored += 3
            if "nextToken" not in page:
                token, start = {}, found[0]
                self.assertEqual(found, list(range(start, 0, -1)))
                found = []
            else:
                token = {"nextToken": page["nextToken"]}
        self.assertEqual(found, list(range(found[0], found[-1] - 1, -1)))

    def test_forward_goes_on_into_what_is_appended(self):
        token, found = {}, []
        while True:
            page = self.gateway.page(self.arn, maxResults=2, **token)
            found += [e["id"] for e in page["events"]]
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
            if self.stored < 50:
                self.client.append(self.arn, annalsd.simple_history(2, self.stored + 1))
                self.stored += 2
        self.assertEqual(found, list(range(1, self.stored + 1)))


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
