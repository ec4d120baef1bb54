"""CAs and certificates, made for each test."""

import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.e2e import annalsd

DAY = datetime.timedelta(days=1)


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def key_pem(key, passphrase=None):
    encryption = (serialization.BestAvailableEncryption(passphrase) if passphrase
                  else serialization.NoEncryption())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             encryption)


class Certificate:
    """A certificate and its key, as bytes of PEM."""

    def __init__(self, certificate, key, chain=b""):
        self.certificate = certificate
        self.key_object = key
        self.pem = certificate.public_bytes(serialization.Encoding.PEM) + chain
        self.key = key_pem(key)


class Ca:
    def __init__(self, name="Annals test CA", issuer=None):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        signer = issuer or self
        builder = self._builder(self.name, signer.name, self.key.public_key(), 0 * DAY, 30 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        self.certificate = builder.sign(signer.key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    @staticmethod
    def _builder(subject, issuer, public_key, age, left):
        now = datetime.datetime.utcnow()
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
                .public_key(public_key).serial_number(x509.random_serial_number())
                .not_valid_before(now - age - DAY).not_valid_after(now + left))

    def issue(self, common_name="server", dns=(), ips=(), uris=(), age=0 * DAY, left=30 * DAY,
              rsa_bits=None, chain=b""):
        key = (rsa.generate_private_key(65537, rsa_bits) if rsa_bits
               else ec.generate_private_key(ec.SECP256R1()))
        import ipaddress
        names = ([x509.DNSName(n) for n in dns] + [x509.UniformResourceIdentifier(n) for n in uris]
                 + [x509.IPAddress(ipaddress.ip_address(n)) for n in ips])
        builder = self._builder(_name(common_name), self.name, key.public_key(), age, left)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return Certificate(builder.sign(self.key, hashes.SHA256()), key, chain)

    def server(self, **more):
        return self.issue(**{"dns": ["localhost", "annals.test"], "ips": ["127.0.0.1"], **more})


class Files:
    """A folder with the files that annalsd is given; replaced as Kubernetes does, by renaming."""

    def __init__(self, certificate, client_ca=None):
        self.folder = annalsd.new_dir()
        self.cert = os.path.join(self.folder, "tls.crt")
        self.key = os.path.join(self.folder, "tls.key")
        self.client_ca = os.path.join(self.folder, "ca.crt")
        self.options = ["--tls-cert", self.cert, "--tls-key", self.key]
        self.write(certificate)
        if client_ca is not None:
            put(self.client_ca, client_ca.pem)
            self.options += ["--tls-client-ca", self.client_ca]

    def write(self, certificate):
        put(self.cert, certificate.pem)
        put(self.key, certificate.key)


def put(path, data):
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.rename(path + ".new", path)
