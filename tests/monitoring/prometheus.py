"""A real Prometheus that scrapes real servers, and what it says."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

from tests.e2e import annalsd

PROGRAM = shutil.which("prometheus")
ALERTS = "deploy/prometheus/alerts.yaml"
SCRAPE_S = 1
START_ATTEMPTS = 5

CONFIG = """
global:
  scrape_interval: %(scrape)ds
  scrape_timeout: %(scrape)ds
  evaluation_interval: 1s
rule_files: [alerts.yaml]
scrape_configs:
  - job_name: annals
    static_configs:
%(targets)s
"""


def quick_rules():
    """The rules as they are, but that none waits before it fires, and that a backup is old in a
    second: tests cannot wait for minutes or days."""
    with open(ALERTS, encoding="utf-8") as f:
        text = f.read()
    assert "26 * 3600" in text
    text = text.replace("26 * 3600", "1")
    return re.sub(r"^        for: \w+$", "        for: 0s", text, flags=re.M)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Prometheus:
    """Scrapes servers, {instance: address}, and evaluates the rules. A context manager."""

    def __init__(self, servers):
        self.dir = annalsd.new_dir()
        targets = "".join("      - targets: ['%s']\n        labels: {instance: '%s'}\n" % (address, name)
                          for name, address in servers.items())
        self.put("prometheus.yaml", CONFIG % {"scrape": SCRAPE_S, "targets": targets})
        self.put("alerts.yaml", quick_rules())
        for _ in range(START_ATTEMPTS):  # another one may take the port meanwhile
            if self.start():
                return
        raise AssertionError("prometheus does not start:\n" + self.log())

    def put(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as f:
            f.write(text)

    def log(self):
        with open(os.path.join(self.dir, "log"), encoding="utf-8") as f:
            return f.read()[-8000:]

    def start(self):
        self.address = "127.0.0.1:%d" % free_port()
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--config.file=prometheus.yaml", "--web.listen-address=" + self.address,
                 "--storage.tsdb.path=data", "--log.level=warn"],
                cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + annalsd.WAIT_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.get("/-/ready")
                return True
            except OSError:
                time.sleep(0.1)
        self.stop()
        return False

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(annalsd.WAIT_S)

    def get(self, path, **parameters):
        url = "http://%s%s?%s" % (self.address, path, urllib.parse.urlencode(parameters))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=annalsd.WAIT_S) as answer:
            return answer.read()

    def query(self, expression):
        """The samples of an instant query, now: [(labels, value)]."""
        answer = json.loads(self.get("/api/v1/query", query=expression))
        assert answer["status"] == "success", answer
        return [(sample["metric"], float(sample["value"][1])) for sample in answer["data"]["result"]]

    def wait(self, expression):
        """Queries until there is a sample that is a number."""
        end = time.monotonic() + annalsd.WAIT_S
        while time.monotonic() < end:
            samples = [(labels, value) for labels, value in self.query(expression) if value == value]
            if samples:
                return samples
            time.sleep(0.2)
        raise AssertionError("nothing comes of %s" % expression)

    def wait_alert(self, name, instance):
        return self.wait('ALERTS{alertname="%s",instance="%s",alertstate="firing"}' % (name, instance))

    def firing(self, instance):
        return {labels["alertname"] for labels, _ in
                self.query('ALERTS{instance="%s",alertstate="firing"}' % instance)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
