"""Pages of what is much against pages of what is little; and pages that are on disk alone."""

import os

import grpc

from programs import ARN, GET_PAGE, Sample, page_request


class Executions:
    """Executions of about 8 events, written by the domain itself."""

    COUNT = 1000

    def __init__(self, bench):
        self.programs = bench.programs
        data_dir = self.programs.new_dir()
        self.count = bench.scaled(self.COUNT, 100)
        self.programs.run("tests/bench/execution_load", data_dir, self.count, 8)
        self.server = self.programs.annalsd(data_dir)
        self.server.settle()

    def requests(self, hot):
        """The first ones are the same in all sets, and stand far apart in the order of names."""
        return self.programs.requests([page_request("%s%d" % (ARN, i)) for i in range(hot)])

    def close(self):
        self.programs.stop(self.server)


class ManyExecutions(Executions):
    COUNT = 1000000


class Compare:
    """The same load on two sets of requests, in short turns: what differs is less than the machine
    changes within seconds."""

    IN_FLIGHT = 64
    TURNS = 6

    def call(self, server, requests):
        return self.programs.call(server, requests, self.IN_FLIGHT, self.seconds / self.TURNS)

    def baseline(self):
        return self.call(self.few_server, self.few)

    def subject(self):
        return self.call(self.many_server, self.many)


class ScaleExecutions(Compare):
    NAME = "scale_executions"
    WHAT = "pages of a hot set of 1,000 among 1,000,000 executions of 8 events / among 1,000"
    TARGET = 0.90

    def prepare(self, bench):
        self.programs, self.seconds = bench.programs, bench.seconds
        few, many = bench.fixture(Executions), bench.fixture(ManyExecutions)
        hot = min(few.count, 1000)
        self.few_server, self.few = few.server, few.requests(hot)
        self.many_server, self.many = many.server, many.requests(hot)
        for _ in range(2):
            self.programs.call(few.server, self.few, self.IN_FLIGHT, 0)
            self.programs.call(many.server, self.many, self.IN_FLIGHT, 0)


def next_token(reply):
    """Field 2 of a GetExecutionHistoryResponse, whose other fields are field 1."""
    at = 0
    while at < len(reply):
        number, at = reply[at] >> 3, at + 1
        size = shift = 0
        while True:
            byte, at = reply[at], at + 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if number == 2:
            return reply[at:at + size].decode()
        at += size
    return ""


class Deep:
    """One long history."""

    ARN = ARN + "deep-0"

    def __init__(self, bench):
        self.programs = bench.programs
        self.events = bench.scaled(200000, 2000)
        data_dir = self.programs.new_dir()
        server = self.programs.annalsd(data_dir)
        self.programs.run("tests/bench/history_load", server.addresses["grpc"], ARN + "deep-", 1, 500,
                          260, self.events, 1, 0)
        self.programs.stop(server)
        self.server = self.programs.annalsd(data_dir)
        self.server.settle()

    def token_at(self, event_id):
        """Of the page that begins behind that event."""
        token = ""
        with grpc.insecure_channel(self.server.addresses["grpc"]) as channel:
            get_page = channel.unary_unary(GET_PAGE)
            for _ in range(event_id // 1000):
                token = next_token(get_page(page_request(self.ARN, 1000, token), timeout=60))
        return token

    def close(self):
        self.programs.stop(self.server)


class ScaleDepth(Compare):
    NAME = "scale_depth"
    WHAT = "page at event 199,000 of a history of 200,000 / first page"
    TARGET = 0.95

    def prepare(self, bench):
        self.programs, self.seconds = bench.programs, bench.seconds
        deep = bench.fixture(Deep)
        self.few_server = self.many_server = deep.server
        depth = deep.events - 1000
        self.few = self.programs.requests([page_request(Deep.ARN)])
        self.many = self.programs.requests([page_request(Deep.ARN, token=deep.token_at(depth))])


class Cold:
    """Executions of 100 events in files, more than are read in one round."""

    def __init__(self, bench):
        self.programs = bench.programs
        self.count = bench.scaled(10000, 50)
        self.data_dir = self.programs.new_dir()
        server = self.programs.annalsd(self.data_dir)
        self.programs.fill(server, ARN + "cold-", self.count, 100)
        self.programs.stop(server)
        server = self.programs.annalsd(self.data_dir)
        server.settle()
        self.programs.stop(server)

    def drop_page_cache(self):
        """What is clean leaves; everything is on disk since the server stopped."""
        os.sync()
        for path, _, names in os.walk(self.data_dir):
            for name in names:
                number = os.open(os.path.join(path, name), os.O_RDONLY)
                os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(number)

    def close(self):
        pass


class ColdRead:
    NAME = "cold_read"
    WHAT = "pages of 100 with the page cache dropped, 8 at once / the same keys by a bare iterator, 8 threads"
    TARGET = 0.80
    AT_ONCE = 8
    CACHE_MIB = 90  # for blocks; the server has as much again for runs, which this does not read twice

    def prepare(self, bench):
        self.programs = bench.programs
        self.cold = bench.fixture(Cold)
        self.arns = ["%scold-%d" % (ARN, i * 7919 % self.cold.count) for i in range(self.cold.count)]
        self.requests = self.programs.requests([page_request(arn) for arn in self.arns])

    def baseline(self):
        self.cold.drop_page_cache()
        values = self.programs.values(
            "tests/bench/store_read", os.path.join(self.cold.data_dir, "rocksdb"), self.AT_ONCE,
            self.CACHE_MIB, 0, input="\n".join(self.arns), processor=self.programs.server_processor)
        return Sample(values["executions_per_second"], cpu_us=values["cpu_us"])

    def subject(self):
        self.cold.drop_page_cache()
        server = self.programs.annalsd(self.cold.data_dir, "--store-threads", str(self.AT_ONCE),
                                       "--store-cache", str(2 * self.CACHE_MIB))
        sample = self.programs.call(server, self.requests, self.AT_ONCE, 0)
        self.programs.stop(server)
        return sample


FIGURES = [ScaleExecutions, ScaleDepth, ColdRead]
