#!/usr/bin/python3
"""TLS on both listeners: who is believed, who is refused, and certificates that change."""

import os
import signal
import socket
import ssl
import threading
import unittest

import grpc

from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import CallError, simple_history, started
from tests.security.certificates import DAY, Ca, Files, key_pem, put

CA = Ca()
OTHER_CA = Ca("Another CA")
FREE = [a for listener in ("grpc", "gateway", "ops")
        for a in ("--%s-listen" % listener, "127.0.0.1:0")]


def channel_credentials(ca=CA, client=None):
    return grpc.ssl_channel_credentials(ca.pem, client and client.key, client and client.pem)


def https_context(ca=CA):
    context = ssl.create_default_context(cadata=ca.pem.decode())
    return context


def wait_for(condition, what):
    for _ in range(annalsd.WAIT_S * 100):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("not to be seen: " + what)


def reload(server, says):
    """Has files read again and waits until the log has one more line that says how it went."""
    before = server.log().count(says)
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: server.log().count(says) > before, says)


def shown_certificate(address, ca):
    """The certificate that a listener shows to a new connection, as DER; ssl.SSLError: not CA's."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), annalsd.WAIT_S) as plain:
        with https_context(ca).wrap_socket(plain, server_hostname=host) as tls:
            return tls.getpeercert(binary_form=True)


class TlsCase(unittest.TestCase):
    def client(self, server, ca=CA, certificate=None, server_name=None):
        client = annalsd.Client(server.grpc, channel_credentials(ca, certificate),
                                server_name=server_name)
        self.addCleanup(client.close)
        return client

    def unavailable(self, client, says=None):
        with self.assertRaises(CallError) as caught:
            client.append(annalsd.arn("refused"), [started()])
        self.assertEqual(caught.exception.code, grpc.StatusCode.UNAVAILABLE)
        if says is not None:
            self.assertIn(says, caught.exception.message)


class ServerCertificateTest(TlsCase):
    @classmethod
    def setUpClass(cls):
        cls.certificate = CA.server()
        cls.files = Files(cls.certificate)
        cls.server = annalsd.Annalsd(*cls.files.options)
        cls.addClassCleanup(cls.server.stop)

    def test_both_listeners(self):
        arn = annalsd.arn("both")
        events = simple_history(1000, payload='"%s"' % ("x" * 5000))
        client = self.client(self.server)
        for first in range(0, 1000, 500):
            client.append(arn, events[first:first + 500])
        self.assertEqual(client.history(arn), events)
        with annalsd.Gateway(self.server.gateway, https_context()) as gateway:
            self.assertEqual([e["id"] for e in gateway.history(arn)], list(range(1, 1001)))
            self.assertEqual(len(gateway.history(arn, reverseOrder=True)), 1000)

    def test_name(self):
        self.client(self.server, server_name="annals.test").append(annalsd.arn("name"), [started()])
        self.unavailable(self.client(self.server, server_name="other.test"))

    def test_wrong_ca(self):
        self.unavailable(self.client(self.server, OTHER_CA), "certificate verify failed")
        with self.assertRaises(ssl.SSLCertVerificationError):
            shown_certificate(self.server.gateway, OTHER_CA)

    def test_clients_without_tls(self):
        with annalsd.Client(self.server.grpc) as plain:
            self.unavailable(plain)
        host, _, port = self.server.gateway.rpartition(":")
        with socket.create_connection((host, int(port)), annalsd.WAIT_S) as plain:
            plain.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            answer = b""
            try:
                while more := plain.recv(4096):
                    answer += more
            except ConnectionResetError:
                pass
            self.assertNotIn(b"HTTP", answer)

    def test_old_versions(self):
        for version, works in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                               (ssl.TLSVersion.TLSv1_3, True)):
            for address in self.server.grpc, self.server.gateway:
                with self.subTest(version=version, address=address):
                    context = https_context()
                    context.set_ciphers("ALL:@SECLEVEL=0")
                    context.minimum_version = context.maximum_version = version
                    context.set_alpn_protocols(["h2", "http/1.1"])
                    host, _, port = address.rpartition(":")
                    with socket.create_connection((host, int(port)), annalsd.WAIT_S) as plain:
                        if works:
                            context.wrap_socket(plain, server_hostname=host).close()
                        else:
                            with self.assertRaises((ssl.SSLError, ConnectionResetError)):
                                context.wrap_socket(plain, server_hostname=host)

    def test_http_that_could_be_read_in_two_ways(self):
        """What the gateway looks for in libmicrohttpd's memory is there over TLS, too."""
        host, _, port = self.server.gateway.rpartition(":")
        line = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-amz-json-1.0\r\n"
        for extra in (b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
                      b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                      b"X-A: b\r\n folded: c\r\nContent-Length: 2\r\n\r\n{}",
                      b"X-A: b\nContent-Length: 2\r\n\r\n{}",
                      b": x\r\nContent-Length: 2\r\n\r\n{}",
                      b"Content-Length: two\r\n\r\n{}"):
            with self.subTest(extra), socket.create_connection((host, int(port))) as plain, \
                    https_context().wrap_socket(plain, server_hostname=host) as tls:
                tls.settimeout(annalsd.WAIT_S)
                tls.sendall(line + extra)
                answer = b""
                while more := tls.recv(65536):
                    answer += more
                self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
                self.assertEqual(answer.count(b"HTTP/1.1"), 1, answer)
                self.assertIn(b"x-amzn-RequestId: ", answer)

    def test_no_key_in_the_log(self):
        self.client(self.server).append(annalsd.arn("log"), [started()])
        for line in self.certificate.key.decode().split("\n")[1:-2]:
            self.assertNotIn(line, self.server.log())


class TimesTest(TlsCase):
    def served(self, certificate, says):
        with annalsd.Annalsd(*Files(certificate).options) as server:
            self.assertIn('"level":"warning","message":"%s","valid_from":"20' % says, server.log())
            self.unavailable(self.client(server), "certificate verify failed")
            with self.assertRaises(ssl.SSLCertVerificationError):
                shown_certificate(server.gateway, CA)

    def test_expired(self):
        self.served(CA.server(age=20 * DAY, left=-DAY), "the certificate has expired")

    def test_not_valid_yet(self):
        self.served(CA.server(age=-5 * DAY), "the certificate is not valid yet")


class ClientCertificateTest(TlsCase):
    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd(*Files(CA.server(), CA).options)
        cls.addClassCleanup(cls.server.stop)

    def test_right(self):
        client = self.client(self.server, certificate=CA.issue("engine"))
        client.append(annalsd.arn("right"), [started()])

    def test_through_an_intermediate(self):
        middle = Ca("Intermediate", issuer=CA)
        client = self.client(self.server, certificate=middle.issue("engine", chain=middle.pem))
        client.append(annalsd.arn("middle"), [started()])

    def test_none(self):
        self.unavailable(self.client(self.server))

    def test_of_another_ca(self):
        self.unavailable(self.client(self.server, certificate=OTHER_CA.issue("engine")))

    def test_expired(self):
        self.unavailable(self.client(self.server, certificate=CA.issue("engine", left=-DAY / 2)))

    def test_of_no_ca(self):
        """A certificate that is no CA's cannot make others."""
        false_ca = Ca("Not a CA")
        leaf = CA.issue("leaf")
        false_ca.key, false_ca.name = leaf.key_object, leaf.certificate.subject
        self.unavailable(self.client(self.server, certificate=false_ca.issue("x", chain=leaf.pem)))

    def test_gateway_asks_for_none(self):
        shown_certificate(self.server.gateway, CA)


class RotationTest(TlsCase):
    def test_swapped_while_calls_run(self):
        old, new = CA.server(), OTHER_CA.server()
        files = Files(old)
        with annalsd.Annalsd(*files.options) as server:
            arn = annalsd.arn("swap")
            writer = self.client(server)
            writer.append(arn, simple_history(100))
            gateway = annalsd.Gateway(server.gateway, https_context())
            self.addCleanup(gateway.close)
            stop, failures, counts = threading.Event(), [], [0, 0]

            def keep_on(index, read):
                while not stop.is_set():
                    try:
                        assert len(read(arn)) == 100
                        counts[index] += 1
                    except Exception as error:  # whatever it is, it is one too many
                        failures.append(error)

            readers = [threading.Thread(target=keep_on, args=(0, writer.history)),
                       threading.Thread(target=keep_on, args=(1, gateway.history))]
            for each in readers:
                each.start()
            for certificate, ca, not_ca in ((new, OTHER_CA, CA), (old, CA, OTHER_CA),
                                            (new, OTHER_CA, CA)):
                files.write(certificate)
                reload(server, "certificates reloaded")
                self.assertEqual(len(self.client(server, ca).history(arn)), 100)
                self.unavailable(self.client(server, not_ca), "certificate verify failed")
                shown = ssl.PEM_cert_to_DER_cert(certificate.pem.decode())
                self.assertEqual(shown_certificate(server.gateway, ca), shown)
                before = list(counts)
                wait_for(lambda: all(c > b for c, b in zip(counts, before)), "calls that go on")
            stop.set()
            for each in readers:
                each.join()
            self.assertEqual(failures, [])

    def test_without_a_signal(self):
        files = Files(CA.server())
        with annalsd.Annalsd(*files.options) as server:
            files.write(OTHER_CA.server())
            wait_for(lambda: "certificates reloaded" in server.log(), "a reload")
            shown_certificate(server.gateway, OTHER_CA)
            self.client(server, OTHER_CA).append(annalsd.arn("a"), [started()])

    def test_client_ca(self):
        files = Files(CA.server(), CA)
        with annalsd.Annalsd(*files.options) as server:
            put(files.client_ca, OTHER_CA.pem)
            reload(server, "certificates reloaded")
            self.unavailable(self.client(server, certificate=CA.issue("engine")))
            client = self.client(server, certificate=OTHER_CA.issue("engine"))
            client.append(annalsd.arn("a"), [started()])

    def test_broken_files(self):
        good, files = CA.server(), Files(CA.server(), CA)
        files.write(good)
        shown = ssl.PEM_cert_to_DER_cert(good.pem.decode())
        with annalsd.Annalsd(*files.options) as server:
            for path, data, says in (
                    (files.cert, b"rubbish", "tls.crt: not certificates in PEM form"),
                    (files.key, CA.server().key, "tls.key: not the key of the certificate in "),
                    (files.client_ca, b"", "ca.crt: not certificates in PEM form")):
                with self.subTest(path):
                    with open(path, "rb") as f:
                        before = f.read()
                    put(path, data)
                    reload(server, "certificates stay as they were")
                    self.assertIn(says, server.log())
                    self.assertEqual(shown_certificate(server.gateway, CA), shown)
                    client = self.client(server, certificate=CA.issue("engine"))
                    client.append(annalsd.arn(os.path.basename(path)), [started()])
                    put(path, before)
            files.write(OTHER_CA.server())
            reload(server, "certificates reloaded")
            shown_certificate(server.gateway, OTHER_CA)


class StartTest(unittest.TestCase):
    def refused(self, options, says):
        folder = os.path.join(annalsd.new_dir(), "data")
        done = annalsd.run_server("--data-dir", folder, *FREE, *options)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(says, done.stderr)
        self.assertNotIn("PRIVATE", done.stderr)
        self.assertFalse(os.path.exists(folder))

    def test_files(self):
        files = Files(CA.server(), CA)
        right = CA.server()
        for cert, key, says in (
                (right.pem, CA.server().key,
                 "%s: not the key of the certificate in %s" % (files.key, files.cert)),
                (right.pem, key_pem(right.key_object, b"secret"),
                 files.key + ": not a private key in PEM form without passphrase"),
                (right.key, right.key, files.cert + ": not certificates in PEM form"),
                (right.pem + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                 right.key, files.cert + ": not certificates in PEM form"),
                (b"", right.key, files.cert + ": not certificates in PEM form"),
                (right.pem, right.pem, files.key + ": not a private key in PEM form")):
            with self.subTest(says):
                put(files.cert, cert)
                put(files.key, key)
                self.refused(files.options, says)
        weak = CA.server(rsa_bits=1024)
        files.write(weak)
        self.refused(files.options, files.cert + ": the certificate cannot be used: ee key too small")
        files.write(right)
        put(files.client_ca, right.key)
        self.refused(files.options, files.client_ca + ": not certificates in PEM form")

    def test_missing(self):
        files = Files(CA.server())
        self.refused(["--tls-cert", files.cert], "--tls-key is missing")
        self.refused(["--tls-key", files.key], "--tls-cert is missing")
        self.refused(["--tls-client-ca", files.cert], "--tls-cert is missing")
        for name in "cert", "key":
            path = getattr(files, name) + ".no"
            options = [path if o == getattr(files, name) else o for o in files.options]
            self.refused(options, path)

    def test_addresses_that_others_can_reach(self):
        """A certificate of the server's says nothing of who calls; one of the client's does."""
        anywhere = ["0.0.0.0:0" if a == "127.0.0.1:0" and FREE[i - 1] == "--grpc-listen" else a
                    for i, a in enumerate(FREE)]
        done = annalsd.run_server("--data-dir", annalsd.new_dir() + "/d", *anywhere,
                                  *Files(CA.server()).options)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--grpc-listen 0.0.0.0:0: others can reach this address", done.stderr)
        with annalsd.Annalsd(*anywhere, *Files(CA.server(), CA).options):
            pass


if __name__ == "__main__":
    unittest_xml.main()
