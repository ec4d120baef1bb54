#!/usr/bin/python3
"""HTTP over bare sockets: what can be read in one way is answered, what could be read in two ways
gets one answer at most, and nothing hidden behind it another one."""

import json
import unittest

from tests import unittest_xml
from tests.e2e import annalsd, raw_http
from tests.e2e.raw_http import head, request

ARN = annalsd.arn("a")
BODY = json.dumps({"executionArn": ARN, "maxResults": 1}).encode()
SIZE = b"Content-Length: %d\r\n" % len(BODY)
HEX = b"%x" % len(BODY)
HIDDEN = request(BODY)
POST = b"POST / HTTP/1.1"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = HEX + b"\r\n" + BODY + b"\r\n0\r\n\r\n"
MIB = 1 << 20
SERIALIZATION = "com.amazon.coral.service#SerializationException"
UNKNOWN = "com.amazon.coral.service#UnknownOperationException"
TOO_LARGE = "com.amazon.coral.service#RequestEntityTooLargeException"


def length(value, body=b"{    "):
    return head(POST, b"Content-Length: " + value + b"\r\n") + body


def encoding(*fields, line=POST):
    return head(line, *fields) + CHUNKS


def chunks(text):
    return head(POST, CHUNKED) + text


# Requests that are refused; behind each stands a good one, which must not be answered.
REFUSED = {
    # lengths
    "two_lengths": head(POST, b"Content-Length: 5\r\n", SIZE) + BODY,
    "two_lengths_alike": head(POST, SIZE, SIZE) + BODY,
    "two_lengths_in_other_letters": head(POST, b"CONTENT-LENGTH: 5\r\n", SIZE) + BODY,
    "lengths_in_a_list": length(b"5, 5"),
    "different_lengths_in_a_list": length(b"5, 6"),
    "length_with_plus": length(b"+5"),
    "length_negative": length(b"-1"),
    "length_hexadecimal": length(b"0x5"),
    "length_with_blank_behind": length(b"5 "),
    "length_with_tab_behind": length(b"5\t"),
    "length_empty": length(b""),
    "length_with_semicolon": length(b"5;"),
    "length_with_blank": length(b"5 5"),
    "length_in_e_notation": length(b"5e0"),
    "length_with_decimals": length(b"5.0"),
    "length_quoted": length(b'"5"'),
    "length_in_other_digits": length("٥".encode()),
    "length_with_nul": length(b"5\0"),
    "length_with_cr": length(b"5\r"),
    "length_folded": length(b"\r\n 5"),
    "length_folded_in_the_middle": length(b"1\r\n 5"),
    # encodings
    "length_then_chunked": encoding(SIZE, CHUNKED),
    "chunked_then_length": encoding(CHUNKED, SIZE),
    "length_0_with_chunked": encoding(b"Content-Length: 0\r\n", CHUNKED),
    "chunked_twice": encoding(CHUNKED, CHUNKED),
    "chunked_and_another": encoding(CHUNKED, b"Transfer-Encoding: identity\r\n"),
    "another_and_chunked": encoding(b"Transfer-Encoding: identity\r\n", CHUNKED),
    "chunked_in_http_1_0": encoding(CHUNKED, line=b"POST / HTTP/1.0"),
    **{"encoding_%s" % name: encoding(b"Transfer-Encoding:" + value + b"\r\n") for name, value in {
        "xchunked": b" xchunked", "identity": b" identity", "gzip": b" gzip", "empty": b"",
        "chunked_identity": b" chunked, identity", "identity_chunked": b" identity, chunked",
        "comma_chunked": b" ,chunked", "chunked_comma": b" chunked,", "chunked_blank": b" chunked ",
        "chunked_tab": b" chunked\t", "vertical_tab": b" \x0bchunked", "quoted": b' "chunked"',
        "parameter": b" chunked;q=1", "nul": b" chunked\0", "cr": b" chunked\r",
        "folded": b"\r\n chunked", "chunked_folded": b" chunked\r\n ,gzip",
    }.items()},
    # lines
    "folded_field": head(POST, b"X-A: a\r\n b\r\n", SIZE) + BODY,
    "folded_field_with_tab": head(POST, b"X-A: a\r\n\tb\r\n", SIZE) + BODY,
    "folded_first_line": head(POST + b"\r\n X: y", SIZE) + BODY,
    "field_made_by_folding": head(POST, b"Content-Lengt: 5\r\n h\r\n", SIZE) + BODY,
    "blank_before_colon": head(POST, b"Content-Length : 5\r\n", SIZE) + BODY,
    "tab_before_colon": head(POST, b"Transfer-Encoding\t: chunked\r\n", SIZE) + BODY,
    "no_colon": head(POST, b"Something\r\n", SIZE) + BODY,
    "no_name": head(POST, b": x\r\n", SIZE) + BODY,
    "nul_in_name": head(POST, b"X\0: x\r\n", SIZE) + BODY,
    "nul_in_value": head(POST, b"X: a\0b\r\n", SIZE) + BODY,
    "cr_in_value": head(POST, b"X: a\rb\r\n", SIZE) + BODY,
    "cr_ends_a_line": head(POST, b"X: a\rContent-Length: 5\r\n", SIZE) + BODY,
    "lf_ends_a_line": head(POST, b"X: a\nContent-Length: 5\r\n") + BODY,
    "lf_ends_the_first_line": request(BODY).replace(b"\r\n", b"\n", 1),
    "lf_ends_all_lines": request(BODY).replace(b"\r\n", b"\n"),
    "lf_ends_the_head": request(BODY).replace(b"\r\n\r\n", b"\r\n\n"),
    "two_lf_end_the_head": request(BODY).replace(b"\r\n\r\n", b"\n\n"),
    "cr_ends_the_head": request(BODY).replace(b"\r\n\r\n", b"\r\n\r"),
    "two_cr": head(POST, b"X: a\r\r\n", SIZE) + BODY,
    # the first line
    "two_blanks": request(BODY, line=b"POST  / HTTP/1.1"),
    "two_blanks_later": request(BODY, line=b"POST /  HTTP/1.1"),
    "blank_at_the_end": request(BODY, line=b"POST / HTTP/1.1 "),
    "blank_in_target": request(BODY, line=b"POST /a b HTTP/1.1"),
    "version_twice": request(BODY, line=b"POST /? HTTP/1.1 HTTP/1.1"),
    "tab_in_target": request(BODY, line=b"POST /\t HTTP/1.1"),
    "nul_in_target": request(BODY, line=b"POST /\0 HTTP/1.1"),
    "nul_in_query": request(BODY, line=b"POST /?\0 HTTP/1.1"),
    "utf_8_in_target": request(BODY, line="POST /é HTTP/1.1".encode()),
    "odd_method": request(BODY, line=b"P(ST / HTTP/1.1"),
    "no_version": request(BODY, line=b"POST /"),
    "no_target": request(BODY, line=b"POST HTTP/1.1"),
    "version_in_small_letters": request(BODY, line=b"POST / http/1.1"),
    "version_1_10": request(BODY, line=b"POST / HTTP/1.10"),
    "version_1_2": request(BODY, line=b"POST / HTTP/1.2"),
    # fields that stand once
    "no_host": request(BODY, host=b""),
    "two_hosts": request(BODY, b"Host: localhost\r\n"),
    "host_with_blank": request(BODY, host=b"Host: a b\r\n"),
    "host_with_path": request(BODY, host=b"Host: a/b\r\n"),
    "two_targets": request(BODY, b"X-Amz-Target: AWSStepFunctions.StartExecution\r\n"),
    "two_types": request(BODY, b"Content-Type: text/plain\r\n"),
    # chunks
    **{"chunk_%s" % name: chunks(text) for name, text in {
        "plus": b"+" + CHUNKS, "hexadecimal": b"0x" + CHUNKS, "negative": b"-" + CHUNKS,
        "blank_before": b" " + CHUNKS, "blank_behind": CHUNKS.replace(b"\r\n", b" \r\n", 1),
        "tab_behind": CHUNKS.replace(b"\r\n", b"\t\r\n", 1), "letter_behind": b"g" + CHUNKS,
        "no_size": b"\r\n" + CHUNKS, "only_extension": b";a=b\r\n" + CHUNKS,
        "cr_alone": CHUNKS.replace(b"\r\n", b"\r", 1),
        "longer_than_said": CHUNKS.replace(b"}", b"}}"),
        "shorter_than_said": CHUNKS.replace(b"}\r\n", b"\r\n"),
        "no_end_of_data": CHUNKS.replace(b"}\r\n", b"}"),
        "quoted_line_end": CHUNKS.replace(b"\r\n", b';a="\r\n"\r\n', 1),
        "no_last": CHUNKS[:-5], "trailer_without_colon": CHUNKS[:-2] + b"foo\r\n\r\n",
    }.items()},
}

# Requests with a body in chunks, as they may and as they should not be: libmicrohttpd reads all of
# them, and the connection ends behind the answer.
LAST = {
    "plain": CHUNKS,
    "capitals": CHUNKS.replace(HEX, HEX.upper(), 1),
    "leading_zeros": b"000" + CHUNKS,
    "many_zeros": b"0" * 40 + CHUNKS,
    "extension": CHUNKS.replace(b"\r\n", b";a=b\r\n", 1),
    "two_chunks": b"1\r\n{\r\n%x\r\n" % (len(BODY) - 1) + BODY[1:] + b"\r\n0\r\n\r\n",
    "last_of_many_zeros": CHUNKS[:-5] + b"0000\r\n\r\n",
    "last_with_extension": CHUNKS[:-5] + b"0;a=b\r\n\r\n",
    "trailers": CHUNKS[:-2] + b"X: y\r\n\r\n",
    "length_in_trailers": CHUNKS[:-2] + b"Content-Length: 5\r\nTransfer-Encoding: x\r\n\r\n",
    "folded_trailers": CHUNKS[:-2] + b"X: y\r\n z\r\n\r\n",
    "lf_behind_size": CHUNKS.replace(b"\r\n", b"\n", 1),
    "lf_behind_data": CHUNKS.replace(b"}\r\n", b"}\n"),
    "lf_at_the_end": CHUNKS[:-2] + b"\n",
    "lf_everywhere": CHUNKS.replace(b"\r\n", b"\n"),
}

# Requests for something else, whose bodies are or may be requests: answered with 404, and closed.
ELSEWHERE = {
    "get": head(b"GET / HTTP/1.1"),
    "get_with_body": request(HIDDEN, line=b"GET / HTTP/1.1"),
    "get_with_body_in_1_0": request(HIDDEN, b"Connection: keep-alive\r\n", line=b"GET / HTTP/1.0"),
    "get_with_chunks": head(b"GET / HTTP/1.1", CHUNKED) + b"%x\r\n" % len(HIDDEN) + HIDDEN
                       + b"\r\n0\r\n\r\n",
    "get_with_expectation": head(b"GET / HTTP/1.1", b"Expect: 100-continue\r\n", SIZE),
    "put": request(HIDDEN, line=b"PUT / HTTP/1.1"),
    "delete": request(HIDDEN, line=b"DELETE / HTTP/1.1"),
    "options": head(b"OPTIONS / HTTP/1.1"),
    "options_of_all": head(b"OPTIONS * HTTP/1.1"),
    "connect": head(b"CONNECT localhost:80 HTTP/1.1"),
    "trace": head(b"TRACE / HTTP/1.1"),
    "unknown_method": request(HIDDEN, line=b"BREW / HTTP/1.1"),
    "method_in_small_letters": request(HIDDEN, line=b"post / HTTP/1.1"),
    **{"path_%s" % name: request(HIDDEN, line=b"POST " + path + b" HTTP/1.1") for name, path in {
        "other": b"/x", "slashes": b"//", "percent": b"/%2f", "percent_nul": b"/%00",
        "encoded_dot": b"/%2e", "dot": b"/.", "star": b"*", "fragment": b"/#x", "none": b"x",
        "parameter": b"/;a=b", "absolute": b"http://localhost/x", "https": b"https://localhost/",
        "no_path": b"http://localhost?a=/",
    }.items()},
}

# First lines that mean POST /.
POSTS = (POST, b"POST /?a=b HTTP/1.1", b"POST /? HTTP/1.1", b"POST http://localhost/ HTTP/1.1",
         b"POST HTTP://localhost:8083 HTTP/1.1", b"POST http://localhost/?a=/x HTTP/1.1")


class HttpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd()
        cls.addClassCleanup(cls.server.stop)
        cls.address = cls.server.gateway
        with annalsd.Client(cls.server.grpc) as client:
            client.append(ARN, annalsd.simple_history(1))
        cls.good = raw_http.ask(cls.address, request(BODY)).body

    def exchange(self, data):
        return raw_http.exchange(self.address, data)

    def connect(self):
        return raw_http.Connection(self.address)

    def check_good(self, answer, closing=False):
        self.assertEqual((answer.status, answer.body, answer.closing), (200, self.good, closing))

    def check_one(self, data, status, name):
        """One answer, that closes."""
        answers = self.exchange(data + HIDDEN)
        self.assertEqual([(a.status, a.error[0], a.closing) for a in answers],
                         [(status, name, True)])
        return answers[0]

    def test_refused(self):
        for name, data in REFUSED.items():
            with self.subTest(name):
                self.check_one(data, 400, SERIALIZATION)

    def test_chunked_is_the_last(self):
        for name, text in LAST.items():
            with self.subTest(name):
                for value in b"chunked", b"Chunked", b"\tCHUNKED":
                    data = head(POST, b"Transfer-Encoding:" + value + b"\r\n") + text
                    [answer] = self.exchange(data + HIDDEN)
                    self.check_good(answer, closing=True)

    def test_elsewhere(self):
        for name, data in ELSEWHERE.items():
            with self.subTest(name):
                self.check_one(data, 404, UNKNOWN)

    def test_posts(self):
        for line in POSTS:
            with self.subTest(line), self.connect() as connection:
                connection.send(request(BODY, line=line) * 2)
                self.check_good(connection.answer())
                self.check_good(connection.answer())

    def test_not_even_a_line(self):
        """Closed without an answer: nobody knows what it was."""
        for data in (b"POST\t/\tHTTP/1.1\r\n\r\n", b" POST / HTTP/1.1\r\n\r\n", b" / HTTP/1.1\r\n\r\n",
                     b"\x16\x03\x01\0\xa5\x01\0\0\xa1\x03\x03\r\n\r\n", b"foo\r\n\r\n"):
            with self.subTest(data):
                self.assertEqual(self.exchange(data + HIDDEN), [])

    def test_other_versions(self):
        for line in b"POST / HTTP/2.0", b"POST / HTTP/0.9", b"PRI * HTTP/2.0":
            with self.subTest(line):
                self.check_one(head(line), 505, SERIALIZATION)

    def test_head_has_no_body(self):
        for data in (head(b"HEAD / HTTP/1.1"), request(HIDDEN, line=b"HEAD / HTTP/1.1")):
            with self.connect() as connection:
                connection.send(data + HIDDEN)
                answer = connection.answer(body=False)
                self.assertEqual((answer.status, answer.closing), (404, True))
                self.assertTrue(connection.closed())

    def test_large_heads(self):
        for data, status in ((head(POST, b"X: " + b"x" * 29000 + b"\r\n", SIZE) + BODY, 200),
                             (POST + b"\r\nX: " + b"x" * 32760, 431),
                             (b"POST /?" + b"x" * 32761, 431),
                             (head(b"POST /?" + b"a&" * 2000 + b" HTTP/1.1", SIZE) + BODY, 200),
                             (head(POST, b"Cookie: " + b"a=b; " * 600 + b"\r\n", SIZE), 431),
                             (POST + b"\r\n" + b"X: y\r\n" * 5458, 431)):
            with self.subTest(data[:30]):
                answer = raw_http.ask(self.address, data)
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.closing, status != 200)

    def test_large_bodies(self):
        text = BODY + b" " * (MIB - len(BODY))
        for headers in (), (b"Expect: 100-continue\r\n",):
            with self.subTest(headers), self.connect() as connection:
                connection.send(head(POST, *headers, b"Content-Length: %d\r\n" % MIB))
                if headers:
                    self.assertEqual(connection.head(), ("HTTP/1.1 100 Continue", {}))
                connection.send(text)
                self.check_good(connection.answer())
                connection.send(request(BODY))
                self.check_good(connection.answer())
        self.check_one(request(text + b" "), 413, TOO_LARGE)
        self.check_one(head(POST, b"Content-Length: %d\r\n" % (MIB + 1 + len(HIDDEN)))
                       + text + b" " + HIDDEN, 413, TOO_LARGE)
        self.check_one(head(POST, b"Expect: 100-continue\r\nContent-Length: %d\r\n" % (MIB + 1)),
                       413, TOO_LARGE)
        for size in (9 * MIB, 2**63, 2**64 - 1, 2**64, 10**30):
            self.check_one(length(b"%d" % size), 413, TOO_LARGE)
        self.check_one(chunks(b"1" * 17 + b"\r\n"), 413, TOO_LARGE)
        self.check_one(chunks(b"%x\r\n" % (MIB + 1) + text + b" \r\n0\r\n\r\n"), 413, TOO_LARGE)

    def test_continue(self):
        with self.connect() as connection:
            for _ in range(2):
                connection.send(head(POST, b"Expect: 100-Continue\r\n", SIZE))
                self.assertEqual(connection.head(), ("HTTP/1.1 100 Continue", {}))
                connection.send(BODY)
                self.check_good(connection.answer())
            # Whoever does not wait is told all the same.
            connection.send(request(BODY, b"Expect: 100-continue\r\n"))
            self.assertEqual(connection.head(), ("HTTP/1.1 100 Continue", {}))
            self.check_good(connection.answer())
            connection.send(request(BODY, b"Expect: something-else\r\n"))
            self.check_good(connection.answer())
        self.check_one(request(b"{", b"Expect: 100-continue\r\n", line=b"POST / HTTP/1.0"), 400,
                       SERIALIZATION)
        self.check_one(request(b"", b"Expect: 100-continue\r\n"), 400,
                       "com.amazon.coral.validate#ValidationException")

    def test_a_body_that_is_a_request(self):
        with self.connect() as connection:
            connection.send(request(HIDDEN) + request(BODY))
            self.assertEqual(connection.answer().error[0], SERIALIZATION)
            self.check_good(connection.answer())

    def test_byte_by_byte(self):
        with self.connect() as connection:
            for data in (request(BODY), encoding(CHUNKED)):
                for i in range(len(data)):
                    connection.send(data[i:i + 1])
                self.check_good(connection.answer(), closing=data != request(BODY))
            self.assertTrue(connection.closed())

    def test_pipelined(self):
        with self.connect() as connection:
            for _ in range(20):
                connection.send((request(BODY) + request(b"{") + request(b"")) * 5)
                for _ in range(5):
                    self.check_good(connection.answer())
                    self.assertEqual(connection.answer().error[0], SERIALIZATION)
                    self.assertEqual(connection.answer().status, 400)

    def test_connections(self):
        for line, field, closing in ((POST, b"", False), (POST, b"Connection: close\r\n", True),
                                     (POST, b"Connection: keep-alive, close\r\n", True),
                                     (POST, b"Connection: keep-alive\r\n", False),
                                     (b"POST / HTTP/1.0", b"", True),
                                     (b"POST / HTTP/1.0", b"Connection: keep-alive\r\n", False)):
            with self.subTest(line=line, field=field), self.connect() as connection:
                data = request(BODY, field, line=line)
                connection.send(data * 2)
                self.check_good(connection.answer(), closing)
                if closing:
                    self.assertTrue(connection.closed())
                else:
                    self.check_good(connection.answer())
        [answer] = self.exchange(request(BODY, line=b"POST / HTTP/1.0", host=b""))
        self.check_good(answer, closing=True)

    def test_nothing_is_compressed(self):
        answer = raw_http.ask(self.address, request(BODY, b"Accept-Encoding: gzip, br, deflate\r\n"))
        self.check_good(answer)

    def test_upgrades_are_ignored(self):
        answer = raw_http.ask(self.address, request(
            BODY, b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"))
        self.check_good(answer)

    def test_ids_differ_and_are_logged(self):
        answers = [self.check_one(data, 400, SERIALIZATION) for data in
                   (REFUSED["two_lengths"], REFUSED["length_with_plus"], REFUSED["chunk_plus"])]
        ids = [a.fields["x-amzn-requestid"] for a in answers]
        self.assertEqual(len(set(ids)), 3)
        log = self.server.log()
        for request_id in ids:
            self.assertEqual(log.count(request_id), 1)


if __name__ == "__main__":
    unittest_xml.main()
