"""Pages of encrypted histories, whose data keys are in memory, against the same ones not encrypted."""

import os

from figures.gateway import GatewayPage100
from figures.grpc_pages import Hot, Pages, Payloads

KEYS = b"main " + b"0123456789abcdef" * 4 + b"\n"
CONFIG = b"[encryption]\n* = local:main 900\n"


class Encrypted(Hot):
    """Each execution has a data key of its own. What is decrypted is kept beside what is stored."""

    OPTIONS = ("--memory-budget", "1024")

    def __init__(self, bench):
        keys = bench.programs.new_file(KEYS)
        os.chmod(keys, 0o600)
        config = bench.programs.new_file(CONFIG)
        self.OPTIONS = (*self.OPTIONS, "--kms-key-file", keys, "--config", config)
        super().__init__(bench)


class EncryptedPayloads(Encrypted):
    EVENT_BYTES = Payloads.EVENT_BYTES
    OPTIONS = ("--memory-budget", "2560")


class EncryptedPage100(Pages):
    NAME = "encrypted_page100"
    WHAT = "pages of 100 encrypted events of 260 bytes over gRPC / the same ones plain"
    TARGET = 0.60
    PLAIN = Hot
    FIXTURE = Encrypted

    def start_baseline(self):
        return self.bench.fixture(self.PLAIN).server

    def stop_baseline(self):
        pass  # it is a fixture


class EncryptedPage100Of2K(EncryptedPage100):
    NAME = "encrypted_page100_2k"
    WHAT = "the same with events of 2 KiB"
    PLAIN = Payloads
    FIXTURE = EncryptedPayloads


class EncryptedGateway(GatewayPage100):
    NAME = "encrypted_gateway"
    WHAT = "JSON pages of 100 encrypted events / the same ones plain"
    TARGET = 0.60
    FIXTURE = Encrypted

    def start_baseline(self):
        self.bare = self.bench.fixture(Hot).server
        self.bare_address = self.bare.addresses["gateway"]
        self.bare_script = ("-s", self.script)

    def stop_baseline(self):
        pass  # it is a fixture


FIGURES = [EncryptedPage100, EncryptedPage100Of2K, EncryptedGateway]
