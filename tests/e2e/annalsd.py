"""Runs the real annalsd in a directory of its own, and the clients that talk to it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import grpc

from annals.v1 import admin_service_pb2, history_event_pb2, history_service_pb2
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

ARN_HEAD = "arn:aws:states:us-east-1:123456789012:"
ARN_PREFIX = ARN_HEAD + "execution:Machine:"
MACHINE_ARN = ARN_HEAD + "stateMachine:Machine"
PAGE_BYTES_MAX = 3670016  # 3.5 MiB
SERVICE = history_service_pb2.DESCRIPTOR.services_by_name["HistoryService"]
ADMIN_SERVICE = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"]
SERVER = os.environ.get("ANNALSD", "")
CLI = os.environ.get("ANNALS", "")
WAIT_S = 120  # until something is called hung

# In payloads that tests have no wishes for. No server may tell of it, ever: see Annalsd.stop.
MARKER = "PAYLOAD-MARKER"
PAYLOAD = '{"a":"%s"}' % MARKER

# For credentials files, so that tests of what others may do can append what they read.
WRITER_TOKEN = "token-of-who-writes"
WRITER = "[writer]\ntoken = %s\nallow = annals:AppendHistoryEvents on *\n" % WRITER_TOKEN
BY_WRITER = (("authorization", "Bearer " + WRITER_TOKEN),)

HistoryEvent = history_event_pb2.HistoryEvent


def is_slow_build():
    """Tells whether the server was built with ASan or TSan, and needs more time and memory."""
    with open(SERVER, "rb") as f:
        binary = f.read()
    return b"libasan.so" in binary or b"libtsan.so" in binary


def new_dir():
    return tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))


def arn(name):
    return ARN_PREFIX + name


# --- programs ---------------------------------------------------------------------------------


def environment(**more):
    """What a child gets: nothing of ANNALS_* and OTEL_*, which annalsd would take for options."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANNALS", "OTEL"))}
    # No ballast unless told: tests leave many data directories behind.
    return {**kept, "TZ": "UTC", "LC_ALL": "C.UTF-8", "ANNALS_BALLAST": "0", "no_proxy": "*", **more}


def run_server(*args, env=None):
    """Runs annalsd to its end, for what does not start."""
    return subprocess.run([SERVER, *args], env=environment(**(env or {})), timeout=WAIT_S,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def run_cli(*args, check=True, env=None):
    done = subprocess.run([CLI, *args], env=environment(**(env or {})), timeout=WAIT_S,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError("annals %s: %d\n%s" % (" ".join(args[:4]), done.returncode, done.stderr))
    return done


def flip(path, offset):
    """Changes a byte of a file."""
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ 0x40]))


class Annalsd:
    """A running server. Use as a context manager, or stop() it."""

    def __init__(self, *args, data_dir=None, env=None):
        self.args = args
        self.env = env or {}
        self.data_dir = data_dir or os.path.join(new_dir(), "data")
        self.log_path = os.path.join(new_dir(), "log")
        self.start()

    def start(self):
        command = [SERVER, "--data-dir", self.data_dir]
        for listener in "grpc", "gateway", "ops":
            if not any(a.startswith("--%s-listen" % listener) for a in self.args):
                command += ["--%s-listen" % listener, "127.0.0.1:0"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*command, *self.args], env=environment(**self.env),
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=log, text=True)
        self.ready_line = self.process.stdout.readline()
        if not self.ready_line:
            raise AssertionError("annalsd did not start: %s" % self.log())
        self.addresses = dict(word.split("=", 1) for word in self.ready_line.split()[2:])
        self.grpc = self.addresses["grpc"]
        self.gateway = self.addresses["gateway"]
        self.ops = self.addresses["ops"]

    def log(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def metrics(self):
        """What /metrics says; nothing from a server that is gone or does not answer."""
        host, _, port = self.ops.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=2)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()

    def check_silence(self, metrics):
        for told in self.log(), metrics:
            at = told.find(MARKER)
            assert at < 0, "a payload is told of: " + told[max(0, at - 1000):at + 100]

    def stop(self, number=signal.SIGTERM):
        """Stops it cleanly, sees to it that it has told of no payload, and returns its status."""
        metrics = ""
        if self.process.poll() is None:
            metrics = self.metrics()
            self.process.send_signal(number)
        status = self.process.wait(WAIT_S)
        self.process.stdout.close()
        if status != 0:
            sys.stderr.write("annalsd: exit status %d\n%s\n" % (status, self.log()[-8000:]))
        self.check_silence(metrics)
        return status

    def kill(self):
        self.process.kill()
        self.process.wait(WAIT_S)
        self.process.stdout.close()
        self.check_silence("")

    def restart(self):
        status = self.stop()
        assert status == 0, "annalsd: exit status %d" % status
        self.start()

    def reload(self, says):
        """Has files read again, and waits until one more line of the log says how that went."""
        before = self.log().count(says)
        self.process.send_signal(signal.SIGHUP)
        for _ in range(WAIT_S * 100):
            if self.log().count(says) > before:
                return
            time.sleep(0.01)
        raise AssertionError("no line says '%s':\n%s" % (says, self.log()[-8000:]))

    def rss_bytes(self, key="VmRSS"):
        with open("/proc/%d/status" % self.process.pid) as f:
            return int(re.search(key + r":\s+(\d+) kB", f.read()).group(1)) * 1024

    def memory_has(self, text):
        """Searches what a core dump would have, and more; tells where the text is."""
        with open("/proc/%d/maps" % self.process.pid, encoding="utf-8") as maps, \
                open("/proc/%d/mem" % self.process.pid, "rb", 0) as memory:
            for line in maps:
                begin, end, name = re.match(r"(\w+)-(\w+) rw\S+ \S+ \S+ \S+ *(.*)|", line).groups()
                if begin is not None:
                    memory.seek(int(begin, 16))
                    try:
                        if text in memory.read(int(end, 16) - int(begin, 16)):
                            return name or "anonymous memory"
                    except OSError:
                        pass  # it is gone by now
        return None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        status = self.stop()
        if kind is None:
            assert status == 0, "annalsd: exit status %d" % status


# --- gRPC -------------------------------------------------------------------------------------


class CallError(Exception):
    """A failed call: its code, and what the status in its trailer holds."""

    def __init__(self, error):
        self.code = error.code()
        self.message = error.details()
        self.reason, self.domain, self.metadata = None, None, {}
        self.violations, self.retry = [], None
        trailers = dict(error.trailing_metadata() or ())
        self.status_bytes = trailers.get("grpc-status-details-bin", b"")
        self.status = status_pb2.Status.FromString(self.status_bytes)
        for detail in self.status.details:
            info = error_details_pb2.ErrorInfo()
            bad = error_details_pb2.BadRequest()
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                self.reason, self.domain, self.metadata = info.reason, info.domain, dict(info.metadata)
            elif detail.Unpack(bad):
                self.violations = [(v.field, v.description) for v in bad.field_violations]
            elif detail.Unpack(retry):
                self.retry = retry.retry_delay.ToTimedelta().total_seconds()
        super().__init__("%s %s %s: %s" % (self.code.name, self.reason, self.metadata, self.message))


class Client:
    """A gRPC client made of the .proto's descriptors, with gRPC's usual limit of 4 MiB."""

    def __init__(self, address, credentials=None, metadata=(), server_name=None):
        """credentials: of a channel with TLS; None: without. server_name: to be certified."""
        # A channel of its own, even to an address that another one goes to.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        if server_name is not None:
            options.append(("grpc.ssl_target_name_override", server_name))
        self.metadata = metadata
        self.channel = (grpc.secure_channel(address, credentials, options) if credentials
                        else grpc.insecure_channel(address, options))

    def close(self):
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, method, request, timeout=WAIT_S, service=SERVICE):
        """Calls with bytes and returns bytes."""
        stub = self.channel.unary_unary("/%s/%s" % (service.full_name, method))
        try:
            return stub(request, timeout=timeout, metadata=self.metadata)
        except grpc.RpcError as error:
            raise CallError(error) from None

    def backup(self, directory, **more):
        request = admin_service_pb2.CreateBackupRequest(directory=directory, **more)
        return admin_service_pb2.CreateBackupResponse.FromString(self.call(
            "CreateBackup", request.SerializeToString(), service=ADMIN_SERVICE))

    def verify(self, timeout=WAIT_S, **more):
        """A stream of answers, to be read or cancelled."""
        stub = self.channel.unary_stream(
            "/%s/VerifyStore" % ADMIN_SERVICE.full_name,
            request_serializer=admin_service_pb2.VerifyStoreRequest.SerializeToString,
            response_deserializer=admin_service_pb2.VerifyStoreResponse.FromString)
        return stub(admin_service_pb2.VerifyStoreRequest(**more), timeout=timeout,
                    metadata=self.metadata)

    def append(self, execution_arn, events, timeout=WAIT_S, **more):
        """Appends events, messages or bytes."""
        request = history_service_pb2.AppendHistoryEventsRequest(execution_arn=execution_arn, **more)
        frames = [e if isinstance(e, bytes) else e.SerializeToString() for e in events]
        body = request.SerializeToString() + b"".join(length_delimited(2, f) for f in frames)
        return history_service_pb2.AppendHistoryEventsResponse.FromString(
            self.call("AppendHistoryEvents", body, timeout))

    def page(self, execution_arn, include=None, **more):
        request = history_service_pb2.GetExecutionHistoryRequest(execution_arn=execution_arn, **more)
        if include is not None:
            request.include_execution_data.value = include
        answer = self.call("GetExecutionHistory", request.SerializeToString())
        page = history_service_pb2.GetExecutionHistoryResponse.FromString(answer)
        page_size(len(answer), len(page.events))
        return page

    def pages(self, execution_arn, **more):
        token = ""
        while True:
            page = self.page(execution_arn, next_token=token, **more)
            yield page
            token = page.next_token
            if not token:
                return

    def history(self, execution_arn, **more):
        return [e for page in self.pages(execution_arn, **more) for e in page.events]

    def describe(self, execution_arn, **more):
        request = history_service_pb2.DescribeExecutionRequest(execution_arn=execution_arn, **more)
        return history_service_pb2.DescribeExecutionResponse.FromString(
            self.call("DescribeExecution", request.SerializeToString()))

    def list(self, **more):
        """One page of executions."""
        request = history_service_pb2.ListExecutionsRequest(**more)
        return history_service_pb2.ListExecutionsResponse.FromString(
            self.call("ListExecutions", request.SerializeToString()))

    def list_pages(self, **more):
        token = ""
        while True:
            page = self.list(next_token=token, **more)
            yield page
            token = page.next_token
            if not token:
                return

    def list_all(self, **more):
        return [e for page in self.list_pages(**more) for e in page.executions]


def page_size(size, count):
    """No page exceeds the budget, except one of a single event."""
    assert size <= PAGE_BYTES_MAX or count == 1, (size, count)


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint_field(number, value):
    return varint(number << 3) + varint(value)


def length_delimited(number, content):
    if isinstance(content, str):
        content = content.encode()
    return varint(number << 3 | 2) + varint(len(content)) + content


# --- events -----------------------------------------------------------------------------------


def enum_name(aws_type):
    return "HISTORY_EVENT_TYPE_" + re.sub(r"(?<!^)(?=[A-Z])", "_", aws_type).upper()


def to_message(event):
    """An event of AWS JSON as the message that stands for it."""
    rest = {k: v for k, v in event.items() if k not in ("timestamp", "type")}
    message = json_format.ParseDict({**rest, "type": enum_name(event["type"])}, HistoryEvent())
    millis = round(event["timestamp"] * 1000)
    message.timestamp.seconds = millis // 1000
    message.timestamp.nanos = millis % 1000 * 1000000
    return message


def started(seconds=1700000000, **details):
    """The first event of a history. seconds None: without a timestamp."""
    event = HistoryEvent(id=1, type="HISTORY_EVENT_TYPE_EXECUTION_STARTED")
    event.execution_started_event_details.input = PAYLOAD
    for name, value in details.items():
        setattr(event.execution_started_event_details, name, value)
    if seconds is not None:
        event.timestamp.seconds = seconds
    return event


def passed(event_id, name="Pass", payload=PAYLOAD, seconds=1700000000):
    """PassStateEntered."""
    event = HistoryEvent(id=event_id, type="HISTORY_EVENT_TYPE_PASS_STATE_ENTERED",
                         previous_event_id=event_id - 1)
    event.state_entered_event_details.name = name
    event.state_entered_event_details.input = payload
    if seconds is not None:
        event.timestamp.seconds = seconds
    return event


def simple_history(count, first=1, **more):
    head = [started()] if first == 1 else []
    return head + [passed(i, **more) for i in range(first + len(head), first + count)]


# --- HTTP -------------------------------------------------------------------------------------


class Gateway:
    """AWS JSON over one connection; with an SSL context, over TLS."""

    def __init__(self, address, context=None):
        host, _, port = address.rpartition(":")
        self.connection = (
            http.client.HTTPSConnection(host, int(port), timeout=WAIT_S, context=context)
            if context else http.client.HTTPConnection(host, int(port), timeout=WAIT_S))
        self.connect()

    def connect(self):
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.used_s = time.monotonic()

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def post(self, body, target="AWSStepFunctions.GetExecutionHistory", **headers):
        """Returns status, headers and body. body: bytes, or what becomes JSON."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {"Content-Type": "application/x-amz-json-1.0", **headers}
        if target is not None:
            headers["X-Amz-Target"] = target
        # The server closes what has been idle for a minute.
        if time.monotonic() - self.used_s > 30:
            self.close()
            self.connect()
        self.used_s = time.monotonic()
        self.connection.request("POST", "/", body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def page(self, execution_arn, **more):
        status, headers, body = self.post({"executionArn": execution_arn, **more})
        assert status == 200, (status, body)
        assert headers["Content-Type"] == "application/x-amz-json-1.0", headers
        page = json.loads(body)
        assert set(page) <= {"events", "nextToken"}, set(page)
        page_size(len(body), len(page["events"]))
        return page

    def pages(self, execution_arn, **more):
        token = {}
        while True:
            page = self.page(execution_arn, **token, **more)
            yield page
            if "nextToken" not in page:
                return
            token = {"nextToken": page["nextToken"]}

    def history(self, execution_arn, **more):
        return [e for page in self.pages(execution_arn, **more) for e in page["events"]]

    def call(self, operation, **members):
        """The answer of an operation."""
        status, _, body = self.post(members, target="AWSStepFunctions." + operation)
        assert status == 200, (status, body)
        return json.loads(body)

    def list_pages(self, **members):
        token = {}
        while True:
            page = self.call("ListExecutions", **token, **members)
            assert set(page) <= {"executions", "nextToken"}, set(page)
            yield page
            if "nextToken" not in page:
                return
            token = {"nextToken": page["nextToken"]}

    def list_all(self, **members):
        return [e for page in self.list_pages(**members) for e in page["executions"]]

    def error(self, body, **more):
        """The status, name and message of a call that fails."""
        status, _, answer = self.post(body, **more)
        assert status != 200, answer
        answer = json.loads(answer)
        assert set(answer) == {"__type", "message"}, answer
        return status, answer["__type"], answer["message"]
