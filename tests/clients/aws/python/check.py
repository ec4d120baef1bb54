"""Checks Annals with boto3. ../checks.txt says what."""

import os
import platform

import boto3

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:"
MACHINE = {"stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:Machine"}
NAMES = "all_types", "branches", "order_fulfilment", "redrive", "thousand_events"
KNOWS_KMS = tuple(map(int, boto3.__version__.split("."))) >= (1, 35)
NOBODY = {"executionArn": EXECUTION + "Machine:nobody"}
ALL_TYPES = {"executionArn": EXECUTION + "Machine:all_types"}


def connect(place="AWS_ENDPOINT_URL", **credentials):
    """A client of Annals and one of the reference."""
    return [boto3.client("stepfunctions", endpoint_url=os.environ[p], **credentials)
            for p in (place, "ANNALS_REFERENCE")]


def key(name, secret, token=None):
    return connect(aws_access_key_id=name, aws_secret_access_key=secret, aws_session_token=token)


class Skip(Exception):
    """What this client cannot do."""


def check(name, function, *args):
    try:
        function(*args)
        print("ok", name)
    except Skip as reason:
        print("skip %s: %s" % (name, reason))
    except Exception as error:
        print("not ok %s: %r" % (name, error))


def expect(found, wanted):
    if found != wanted:
        raise AssertionError("%r instead of %r" % (found, wanted))


def history(request, clients=connect()):
    found, wanted = (c.get_execution_history(**request)["events"] for c in clients)
    expect(len({event["type"] for event in found}), 62)
    expect(found, wanted)


def read(client, request, size):
    paginator = client.get_paginator("get_execution_history")
    config = {"PageSize": size} if size else {}
    return [page["events"] for page in paginator.paginate(**request, PaginationConfig=config)]


def pages(request, size, clients=connect()):
    """Without a size, it is the service's: 100."""
    found, [wanted] = (read(client, request, size) for client in clients)
    expect({len(page) for page in found[:-1]}, {size or 100} if found[1:] else set())
    expect(sum(found, []), wanted)


def describe(clients=connect()):
    for name in NAMES:
        found, wanted = (c.describe_execution(executionArn=EXECUTION + "Machine:" + name)
                         for c in clients)
        expect({**found, "ResponseMetadata": None}, {**wanted, "ResponseMetadata": None})


def listing(request, clients=connect()):
    found, [wanted] = (
        [page["executions"] for page in client.get_paginator("list_executions").paginate(
            **request, PaginationConfig={"PageSize": 2})]
        for client in clients)
    expect({len(page) for page in found[:-1]}, {2} if found[1:] else set())
    expect(sum(found, []), wanted)


def error(request, name, clients=connect(), operation="get_execution_history"):
    found, wanted = (refusal(client, operation, request) for client in clients)
    expect(found["Error"]["Code"], name)
    expect(found, wanted)
    return found


def refusal(client, operation, request):
    """All that an error says, without what belongs to the call."""
    exceptions = client.exceptions
    try:
        getattr(client, operation)(**request)
    except exceptions.ClientError as caught:
        # Not every error has a class here.
        kind = getattr(exceptions, caught.response["Error"]["Code"], exceptions.ClientError)
        expect(type(caught), kind)
        return {**caught.response, "ResponseMetadata": None}
    raise AssertionError("no error")


def encrypted(execution, name, state=None):
    """Where boto3 is too old for these errors, it has neither classes nor the key's state."""
    found = error({"executionArn": EXECUTION + "Encrypted:" + execution}, name)
    if KNOWS_KMS:
        expect(hasattr(connect()[0].exceptions, name), True)
        expect(found.get("kmsKeyState"), state)


def clock(client):
    try:
        client.get_execution_history(**ALL_TYPES)
    except client.exceptions.ClientError as caught:
        error = caught.response["Error"]
        expect(error["Code"], "InvalidSignatureException")
        expect(error["Message"][:18], "Signature expired:")
        raise Skip("boto3 never corrects its clock; it was told that the signature is expired")


print("version boto3 %s, Python %s" % (boto3.__version__, platform.python_version()))
check("history", history, ALL_TYPES)
for size in 1, 7, 1000:
    check("forward_%d" % size, pages, ALL_TYPES, size)
    check("reverse_%d" % size, pages, {**ALL_TYPES, "reverseOrder": True}, size)
check("thousand_events", pages, {"executionArn": EXECUTION + "Machine:thousand_events"}, None)
check("without_data", history, {**ALL_TYPES, "includeExecutionData": False})

check("describe", describe)
check("list", listing, MACHINE)
check("list_failed", listing, {**MACHINE, "statusFilter": "FAILED"})

check("execution_does_not_exist", error, NOBODY, "ExecutionDoesNotExist")
check("invalid_arn", error, {"executionArn": "hello"}, "InvalidArn")
check("invalid_token", error, {**ALL_TYPES, "nextToken": "x"}, "InvalidToken")
check("validation", error, {**ALL_TYPES, "maxResults": 1001}, "ValidationException")
check("describe_nobody", error, NOBODY, "ExecutionDoesNotExist", connect(), "describe_execution")
check("kms_access_denied", encrypted, "denied", "KmsAccessDeniedException")
check("kms_invalid_state", encrypted, "disabled", "KmsInvalidStateException", "DISABLED")
check("kms_throttling", encrypted, "throttled", "KmsThrottlingException")

check("session_token", history, ALL_TYPES, key("ASIACLIENTS", "temporary", "token"))
check("wrong_secret", error, ALL_TYPES, "InvalidSignatureException", key("AKIAWRONG", "wrong"))
check("unknown_key", error, ALL_TYPES, "UnrecognizedClientException", key("AKIANOBODY", "secret"))
check("denied", error, {"executionArn": EXECUTION + "Other:all_types"}, "AccessDeniedException")
check("throttled", pages, ALL_TYPES, 20, connect("ANNALS_BUSY"))
check("clock", clock, connect("ANNALS_AHEAD")[0])
