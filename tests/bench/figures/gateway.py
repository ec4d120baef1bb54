"""AWS JSON over HTTP. Load comes from wrk."""

import json
import os
import pwd
import re
import socket
import time
import urllib.request

from figures.grpc_pages import Hot
from programs import ARN, WAIT_S, Sample, need

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
    FIXTURE = Hot
    CONNECTIONS = 64

    def prepare(self, bench):
        need("wrk", "wrk")
        self.bench = bench
        self.programs = bench.programs
        self.seconds = bench.seconds
        hot = bench.fixture(self.FIXTURE)
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
        self.bare_script = ("-s", self.script)

    def stop_baseline(self):
        self.programs.stop(self.bare)

    def load(self, server, address, script=()):
        before = server.cpu_s()
        text = self.programs.run("/usr/bin/wrk", "-t1", "-c%d" % self.CONNECTIONS,
                                 "-d%ds" % max(1, round(self.seconds)), *script,
                                 "http://%s/" % address)
        calls = int(re.search(r"(\d+) requests in", text).group(1))
        if "Non-2xx" in text:
            raise RuntimeError("%s: %s" % (address, text))
        rate = float(re.search(r"Requests/sec: *([0-9.]+)", text).group(1))
        return Sample(rate, cpu_us=(server.cpu_s() - before) / max(calls, 1) * 1e6)

    def baseline(self):
        return self.load(self.bare, self.bare_address, self.bare_script)

    def subject(self):
        return self.load(self.server, self.server.addresses["gateway"],
                         ("-s", self.script))

    def extra(self):
        self.stop_baseline()
        return {"reply_bytes": len(self.reply)}


NGINX = "/usr/sbin/nginx"
NGINX_CONFIG = """daemon off;
master_process off;
{user}
pid nginx.pid;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path tmp;
  proxy_temp_path tmp;
  fastcgi_temp_path tmp;
  scgi_temp_path tmp;
  uwsgi_temp_path tmp;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  open_file_cache max=16;
  default_type application/x-amz-json-1.0;
  server {{
    listen 127.0.0.1:{port};
    root {root};
    index page.json;
  }}
}}
"""


def nginx_user():
    """Who serves where root starts it; others stay who they are, and may have no name."""
    return "user %s;" % pwd.getpwuid(0).pw_name if os.geteuid() == 0 else ""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class GatewayVsNginx(GatewayPage100):
    """nginx does not take POST for a file: it gets GET, without a body, which is less to do."""

    NAME = "gateway_vs_nginx"
    WHAT = "the same / nginx serving a file of the same bytes"
    TARGET = 0.40

    def start_baseline(self):
        need(NGINX, "nginx-light")
        root = self.programs.new_dir()
        with open(os.path.join(root, "page.json"), "wb") as f:
            f.write(self.reply)
        self.bare_script = ()
        for _ in range(10):  # another one may come first to a port that is free
            port = free_port()
            self.bare_address = "127.0.0.1:%d" % port
            config = os.path.join(root, "nginx.conf")
            with open(config, "w", encoding="utf-8") as f:
                f.write(NGINX_CONFIG.format(root=root, port=port, user=nginx_user()))
            self.bare = self.programs.start(NGINX, "-p", root, "-c", config, "-e", "stderr",
                                            silent=True)
            if self.is_up():
                return
            self.programs.stop(self.bare)
        raise RuntimeError("nginx does not start")

    def is_up(self):
        """Waits until nginx answers; False when it has ended."""
        deadline = time.monotonic() + WAIT_S
        while self.bare.process.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen("http://%s/" % self.bare_address, timeout=WAIT_S) as f:
                    return f.read() == self.reply
            except OSError:
                time.sleep(0.01)
        return False


FIGURES = [GatewayPage100, GatewayVsNginx]
