#!/usr/bin/python3
"""gRPC's standard services: health, and calls without a .proto at hand by way of reflection."""

import os
import signal
import struct
import unittest

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tests import unittest_xml
from tests.e2e import annalsd, raw_http2

# The modules of grpc.health.v1 and grpc.reflection lie beside the package of that name.
grpc.__path__.append(os.path.join("proto", "grpc"))

from grpc.health.v1 import health_pb2  # noqa: E402
from grpc.reflection.v1 import reflection_pb2 as v1  # noqa: E402
from grpc.reflection.v1alpha import reflection_pb2 as v1alpha  # noqa: E402

HISTORY_SERVICE = "annals.v1.HistoryService"
SERVICES = [HISTORY_SERVICE, "annals.v1.AdminService", "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
HISTORY_FILES = ["annals/v1/history_service.proto", "annals/v1/history_event.proto",
                 "google/protobuf/any.proto", "google/protobuf/timestamp.proto",
                 "google/protobuf/wrappers.proto", "google/rpc/status.proto"]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
LAST_STREAM_MAX = (1 << 31) - 1
NO_ERROR = 0


class Watcher(raw_http2.Connection):
    """Watches health on a connection of its own, and notes what it is told, in order."""

    def __init__(self, address):
        self.told = []
        super().__init__(address)
        self.open(1, "Watch", service="grpc.health.v1.Health")
        self.send_data(1, raw_http2.message(b""), last=True)

    def take(self, kind, flags, stream, payload):
        super().take(kind, flags, stream, payload)
        if kind == raw_http2.DATA:
            self.told.append(health_pb2.HealthCheckResponse.FromString(payload[5:]).status)
        elif kind == raw_http2.HEADERS and flags & raw_http2.END_STREAM:
            self.told.append("end of stream")
        elif kind == raw_http2.GOAWAY:
            self.told.append(("GOAWAY", *struct.unpack(">II", payload[:8])))


class HealthTest(unittest.TestCase):
    def setUp(self):
        self.server = annalsd.Annalsd()
        self.addCleanup(self.server.stop)
        self.client = annalsd.Client(self.server.grpc)
        self.addCleanup(self.client.close)

    def method(self, name, kind="unary_unary", response=health_pb2.HealthCheckResponse):
        return getattr(self.client.channel, kind)(
            "/grpc.health.v1.Health/" + name,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString)

    def test_all_services_are_well(self):
        answer = self.method("List", response=health_pb2.HealthListResponse)(
            health_pb2.HealthListRequest(), timeout=annalsd.WAIT_S)
        self.assertEqual({name: status.status for name, status in answer.statuses.items()},
                         {name: SERVING for name in ["", *SERVICES]})
        for name in ["", *SERVICES]:
            answer = self.method("Check")(health_pb2.HealthCheckRequest(service=name),
                                          timeout=annalsd.WAIT_S)
            self.assertEqual(answer.status, SERVING)

    def test_a_watcher_is_told_before_the_server_stops(self):
        watch = self.method("Watch", "unary_stream")(health_pb2.HealthCheckRequest())
        self.assertEqual(next(watch).status, SERVING)
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(next(watch).status, NOT_SERVING)
        with self.assertRaises(grpc.RpcError) as caught:
            next(watch)
        error = annalsd.CallError(caught.exception)
        self.assertEqual((error.code, error.reason), (grpc.StatusCode.UNAVAILABLE, "DRAINING"))
        self.assertEqual(self.server.process.wait(annalsd.WAIT_S), 0)

    def test_goaway_comes_when_health_has_said_that_the_server_stops(self):
        with Watcher(self.server.grpc) as watcher:
            watcher.read_until(lambda: watcher.told)
            self.server.process.send_signal(signal.SIGTERM)
            while not watcher.closed:
                watcher.read()
        self.assertEqual(watcher.told[:4], [SERVING, NOT_SERVING, "end of stream",
                                            ("GOAWAY", LAST_STREAM_MAX, NO_ERROR)])
        # Which streams were taken, where the ping between the two was answered in time.
        self.assertIn(watcher.told[4:], ([("GOAWAY", 1, NO_ERROR)], []))
        self.assertEqual(self.server.process.wait(annalsd.WAIT_S), 0)

    def test_calls_go_on_during_the_drain_delay(self):
        with annalsd.Annalsd("--drain-delay", "3") as server, annalsd.Client(server.grpc) as client:
            watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
            self.assertEqual(next(watch), b"\x08\x01")
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(next(watch), b"\x08\x02")
            client.append(annalsd.arn("late"), [annalsd.started()])
            with self.assertRaises(grpc.RpcError):
                next(watch)


class ReflectionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = annalsd.Annalsd()
        cls.addClassCleanup(cls.server.stop)
        cls.client = annalsd.Client(cls.server.grpc)
        cls.addClassCleanup(cls.client.close)

    def stream(self, requests, version=v1):
        service = version.DESCRIPTOR.services_by_name["ServerReflection"]
        call = self.client.channel.stream_stream(
            "/%s/ServerReflectionInfo" % service.full_name,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=version.ServerReflectionResponse.FromString)
        return call(iter(requests), timeout=annalsd.WAIT_S)

    def ask(self, version=v1, **question):
        """Asks one thing, checks what all answers have in common, and returns the answer."""
        request = version.ServerReflectionRequest(host="host", **question)
        answers = list(self.stream([request], version))
        self.assertEqual(len(answers), 1)
        self.assertEqual(answers[0].valid_host, "host")
        self.assertEqual(answers[0].original_request, request)
        return answers[0]

    def files(self, **question):
        answer = self.ask(**question)
        self.assertEqual(answer.WhichOneof("message_response"), "file_descriptor_response")
        return [descriptor_pb2.FileDescriptorProto.FromString(file)
                for file in answer.file_descriptor_response.file_descriptor_proto]

    def refused(self, code, message, **question):
        error = self.ask(**question).error_response
        self.assertEqual((error.error_code, error.error_message), (code.value[0], message))

    def test_services(self):
        for version in v1, v1alpha:
            answer = self.ask(version, list_services="*")
            self.assertEqual([s.name for s in answer.list_services_response.service], SERVICES)

    def test_files_come_with_what_they_import(self):
        first, *rest = [f.name for f in self.files(file_by_filename=HISTORY_FILES[0])]
        self.assertEqual([first, *sorted(rest)], HISTORY_FILES)
        self.assertEqual([f.name for f in self.files(file_by_filename="google/rpc/status.proto")],
                         ["google/rpc/status.proto", "google/protobuf/any.proto"])

    def test_files_are_those_of_the_contract(self):
        for version in v1, v1alpha:
            name = version.DESCRIPTOR.name
            expected = descriptor_pb2.FileDescriptorProto()
            version.DESCRIPTOR.CopyToProto(expected)
            served = self.files(file_by_filename=name)
            for message in served[0].message_type:  # Python leaves out what protoc adds
                for field in message.field:
                    field.ClearField("json_name")
            self.assertEqual(served, [expected])

    def test_symbols_of_all_kinds(self):
        symbols = {
            HISTORY_SERVICE: HISTORY_FILES[0],
            HISTORY_SERVICE + ".AppendHistoryEvents": HISTORY_FILES[0],
            "annals.v1.GetExecutionHistoryRequest": HISTORY_FILES[0],
            "annals.v1.GetExecutionHistoryRequest.next_token": HISTORY_FILES[0],
            "annals.v1.HistoryEvent.details": HISTORY_FILES[1],
            "annals.v1.HistoryEventType": HISTORY_FILES[1],
            "annals.v1.HISTORY_EVENT_TYPE_EXECUTION_STARTED": HISTORY_FILES[1],
            "grpc.health.v1.HealthCheckResponse.ServingStatus": "grpc/health/v1/health.proto",
            "grpc.health.v1.HealthCheckResponse.SERVING": "grpc/health/v1/health.proto",
            "google.rpc.ErrorInfo.MetadataEntry": "google/rpc/error_details.proto",
        }
        for symbol, name in symbols.items():
            self.assertEqual(self.files(file_containing_symbol=symbol)[0].name, name)

    def test_what_is_not_there(self):
        not_found = grpc.StatusCode.NOT_FOUND
        self.refused(not_found, "not found: no.proto", file_by_filename="no.proto")
        for symbol in "no.Symbol", "annals.v1", "annals.internal.v1.ExecutionRecord", "":
            self.refused(not_found, "not found: " + symbol, file_containing_symbol=symbol)
        self.refused(not_found, "not found: no.Type", all_extension_numbers_of_type="no.Type")
        self.refused(not_found, "not found: " + HISTORY_SERVICE,
                     all_extension_numbers_of_type=HISTORY_SERVICE)
        self.refused(not_found, "no such extension of annals.v1.HistoryEvent",
                     file_containing_extension=v1.ExtensionRequest(
                         containing_type="annals.v1.HistoryEvent", extension_number=7))
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, "nothing is asked for")

    def test_no_message_is_extended(self):
        answer = self.ask(all_extension_numbers_of_type="annals.v1.HistoryEvent")
        self.assertEqual(answer.all_extension_numbers_response,
                         v1.ExtensionNumberResponse(base_type_name="annals.v1.HistoryEvent"))

    def test_a_stream_answers_many_questions_in_order(self):
        symbols = ["a%d" % i for i in range(300)]
        answers = self.stream(v1.ServerReflectionRequest(file_containing_symbol=s)
                              for s in symbols)
        self.assertEqual([a.original_request.file_containing_symbol for a in answers], symbols)

    def test_a_stream_may_ask_nothing(self):
        self.assertEqual(list(self.stream([])), [])

    def test_calls_without_a_proto(self):
        arn = annalsd.arn("reflected")
        self.client.append(arn, annalsd.simple_history(3))
        pool, files = descriptor_pool.DescriptorPool(), {}
        for file in self.files(file_containing_symbol=HISTORY_SERVICE):
            files[file.name] = file

        def add(name):
            if name in files:
                file = files.pop(name)
                for imported in file.dependency:
                    add(imported)
                pool.Add(file)

        add(HISTORY_FILES[0])
        method = pool.FindServiceByName(HISTORY_SERVICE).methods_by_name["GetExecutionHistory"]
        factory = message_factory.MessageFactory(pool)
        request = factory.GetPrototype(method.input_type)(execution_arn=arn)
        answer = factory.GetPrototype(method.output_type).FromString(
            self.client.call(method.name, request.SerializeToString()))
        self.assertEqual([event.id for event in answer.events], [1, 2, 3])


if __name__ == "__main__":
    unittest_xml.main()
