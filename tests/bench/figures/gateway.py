"""AWS JSON over HTTP. Load comes from wrk."""

import json
import re
import urllib.request

from figures.grpc_pages import Hot
from programs import ARN, Sample, need

HEADERS = {"X-Amz-Target": "AWSStepFunctions.GetExecutionHistory",
           "Content-Type": "application/x-amz-json-1.0"}


def wrk_script(arns):
    """Requests of these executions, in turn."""
    bodies = ", ".join("'%s'" % json.dumps({"executionArn": arn}) for arn in arns)
    headers = "".join('wrk.headers["%s"] = "%s"\n' % item for item in HEADERS.items())
    return ("local bodies = {%s}\nlocal at = 0\n%s"
            "request = function()\n  at = at %% #bodies + 1\n"
            "  return wrk.format('POST', '/', nil, bodies[at])\nend\n" % (bodies, headers)).encode()


class GatewayPage100:
    NAME = "gateway_page100"
    WHAT = "JSON pages of 100 events / libmicrohttpd returning the same bytes from memory"
    TARGET = 0.45
    CONNECTIONS = 64

    def prepare(self, bench):
        need("wrk", "wrk")
        self.programs = bench.programs
        self.seconds = bench.seconds
        hot = bench.fixture(Hot)
        self.server = hot.server
        arns = ["%shot-%d" % (ARN, i) for i in range(hot.count)]
        self.script = self.programs.new_file(wrk_script(arns))
        request = urllib.request.Request(
            "http://%s/" % self.server.addresses["gateway"], headers=HEADERS,
            data=json.dumps({"executionArn": arns[0]}).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.reply = answer.read()
        self.start_baseline()

    def start_baseline(self):
        self.bare = self.programs.start("tests/bench/http_echo", len(self.reply))
        self.bare_address = self.bare.addresses["http"]

    def load(self, server, address):
        before = server.cpu_s()
        text = self.programs.run("/usr/bin/wrk", "-t1", "-c%d" % self.CONNECTIONS,
                                 "-d%ds" % max(1, round(self.seconds)), "-s", self.script,
                                 "http://%s/" % address)
        calls = int(re.search(r"(\d+) requests in", text).group(1))
        if "Non-2xx" in text:
            raise RuntimeError("%s: %s" % (address, text))
        rate = float(re.search(r"Requests/sec: *([0-9.]+)", text).group(1))
        return Sample(rate, cpu_us=(server.cpu_s() - before) / max(calls, 1) * 1e6)

    def baseline(self):
        return self.load(self.bare, self.bare_address)

    def subject(self):
        return self.load(self.server, self.server.addresses["gateway"])

    def extra(self):
        self.programs.stop(self.bare)
        return {"reply_bytes": len(self.reply)}


FIGURES = [GatewayPage100]
