"""Pages over gRPC against a bare server that returns as many bytes from a static slice."""

from programs import ARN, page_request


class Hot:
    """A server with 1,000 executions that fit the cache, written one event at a time, in files."""

    EVENTS = 100
    EVENT_BYTES = 260
    EXECUTIONS = 1000
    OPTIONS = ()

    def __init__(self, bench):
        self.programs = bench.programs
        self.count = bench.scaled(self.EXECUTIONS, 4)
        self.data_dir = bench.programs.new_dir()
        server = self.programs.annalsd(self.data_dir, *self.OPTIONS)
        self.programs.fill(server, ARN + "hot-", self.count, self.EVENTS, self.EVENT_BYTES)
        self.server = self.serve_filled(server)

    def serve_filled(self, server):
        """Has the server start anew: what it finds in its log it writes to files."""
        self.programs.stop(server)
        return self.programs.annalsd(self.data_dir, *self.OPTIONS)

    def requests(self, **more):
        return self.programs.requests(
            [page_request("%shot-%d" % (ARN, i), **more) for i in range(self.count)])

    def close(self):
        self.programs.stop(self.server)


class Large(Hot):
    EVENTS = 1000
    OPTIONS = ("--memory-budget", "1536")


class Payloads(Hot):
    EVENT_BYTES = 2048
    OPTIONS = ("--memory-budget", "1536")


class Fresh(Hot):
    """They are still in the memtable, and go on running."""

    EVENTS = -150

    def serve_filled(self, server):
        return server


class Pages:
    """A server's pages against as many bytes from an echo."""

    FIXTURE = Hot
    IN_FLIGHT = 64
    REQUEST = {}

    def prepare(self, bench):
        self.bench = bench
        self.programs = bench.programs
        self.seconds = bench.seconds
        hot = bench.fixture(self.FIXTURE)
        self.server = hot.server
        self.requests = hot.requests(**self.REQUEST)
        self.server.settle()
        warm = self.warm_up(self.server)
        self.reply_bytes = int(warm.more["reply_bytes"])
        self.bare = self.start_baseline()
        self.warm_up(self.bare)

    def warm_up(self, server):
        """What is read twice is kept in the form that it is sent in; the rest a page does once more."""
        for _ in range(3):
            sample = self.programs.call(server, self.requests, self.IN_FLIGHT, 0)
        return sample

    def start_baseline(self):
        return self.programs.start("tests/bench/grpc_echo", self.reply_bytes)

    def stop_baseline(self):
        self.programs.stop(self.bare)

    def baseline(self):
        return self.programs.call(self.bare, self.requests, self.IN_FLIGHT, self.seconds)

    def subject(self):
        return self.programs.call(self.server, self.requests, self.IN_FLIGHT, self.seconds)

    def extra(self):
        self.stop_baseline()
        return {"reply_bytes": self.reply_bytes}


class Page100(Pages):
    NAME = "grpc_page100"
    WHAT = "pages of 100 events of 260 bytes, 64 calls in flight / echo"
    TARGET = 0.85


class Page100C8(Pages):
    NAME = "grpc_page100_c8"
    WHAT = "the same with 8 in flight"
    TARGET = 0.70
    IN_FLIGHT = 8


class Page100C1(Pages):
    NAME = "grpc_page100_c1"
    WHAT = "the same with 1 in flight"
    TARGET = 0.70
    IN_FLIGHT = 1


class Page1000(Pages):
    NAME = "grpc_page1000"
    WHAT = "pages of 1000 events / echo"
    TARGET = 0.80
    FIXTURE = Large
    IN_FLIGHT = 16
    REQUEST = {"max_results": 1000}


class Reverse(Pages):
    NAME = "grpc_reverse"
    WHAT = "reverse pages of 100 / echo"
    TARGET = 0.80
    REQUEST = {"reverse": True}


class NoData(Pages):
    NAME = "grpc_nodata"
    WHAT = "pages of 100 events of 2 KiB without execution data / echo of what is returned"
    TARGET = 0.60
    FIXTURE = Payloads
    REQUEST = {"data": False}


class FreshPages(Pages):
    NAME = "grpc_fresh"
    WHAT = "pages of 100 of histories still in the memtable and running / echo"
    TARGET = 0.70
    FIXTURE = Fresh


FIGURES = [Page100, Page100C8, Page100C1, Page1000, Reverse, NoData, FreshPages]
