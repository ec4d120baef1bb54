"""What /metrics says, read."""

import http.client
import re
import time

from tests.e2e import annalsd

SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def text(server):
    """The body of /metrics, whose headers are checked."""
    host, _, port = server.ops.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=annalsd.WAIT_S)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    assert answer.status == 200, answer.status
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return body


class Scrape:
    """One answer of /metrics: values by name and labels."""

    def __init__(self, server):
        self.text = text(server)
        self.series = {}
        for line in self.text.splitlines():
            if not line.startswith("#"):
                name, labels, value = SERIES.match(line).groups()
                key = (name, frozenset(LABEL.findall(labels or "")))
                assert key not in self.series, line
                self.series[key] = float(value)

    def get(self, name, **labels):
        return self.series.get((name, frozenset(labels.items())))

    def sum(self, name, **labels):
        """The sum of all series that have these labels, and perhaps others."""
        return sum(value for (other, having), value in self.series.items()
                   if other == name and having >= set(labels.items()))


def wait(server, condition, what):
    """Scrapes until the condition holds for one of the answers, which is returned."""
    end = time.monotonic() + annalsd.WAIT_S
    while time.monotonic() < end:
        scrape = Scrape(server)
        if condition(scrape):
            return scrape
        time.sleep(0.05)
    raise AssertionError("%s does not come:\n%s" % (what, scrape.text))
