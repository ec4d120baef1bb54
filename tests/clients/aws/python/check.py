"""Checks Annals with boto3. ../checks.txt says what."""

import os
import platform

import boto3

MACHINE = "arn:aws:states:us-east-1:123456789012:execution:Machine:"
ALL_TYPES = {"executionArn": MACHINE + "all_types"}
THOUSAND_EVENTS = {"executionArn": MACHINE + "thousand_events"}
NOBODY = {"executionArn": MACHINE + "nobody"}


def connect(url):
    return boto3.client("stepfunctions", endpoint_url=url)


annals = connect(os.environ["AWS_ENDPOINT_URL"])
reference = connect(os.environ["ANNALS_REFERENCE"])


def check(name, function, *args):
    try:
        function(*args)
        print("ok", name)
    except Exception as error:
        print("not ok %s: %r" % (name, error))


def expect(found, wanted):
    if found != wanted:
        raise AssertionError("%r instead of %r" % (found, wanted))


def expect_events(found, **request):
    expect(found, reference.get_execution_history(**request)["events"])


def history():
    events = annals.get_execution_history(**ALL_TYPES, maxResults=1000)["events"]
    expect(len({event["type"] for event in events}), 62)
    expect_events(events, **ALL_TYPES)


def pages(size, request):
    paginator = annals.get_paginator("get_execution_history")
    found = [page["events"] for page in paginator.paginate(
        **request, PaginationConfig={"PageSize": size} if size else {})]
    expect({len(page) for page in found[:-1]}, {size or 100} if found[1:] else set())
    expect_events(sum(found, []), **request)


def without_data():
    request = {**ALL_TYPES, "includeExecutionData": False}
    expect_events(annals.get_execution_history(**request)["events"], **request)


def error(request, name, message):
    # Not every error of the service is one of boto3's classes.
    kind = getattr(annals.exceptions, name, annals.exceptions.ClientError)
    try:
        annals.get_execution_history(**request)
    except kind as caught:
        expect(caught.response["Error"], {"Code": name, "Message": message})
    else:
        raise AssertionError("no error")


print("version boto3 %s, Python %s" % (boto3.__version__, platform.python_version()))
check("history", history)
for size in 1, 7, 1000:
    check("forward_%d" % size, pages, size, ALL_TYPES)
    check("reverse_%d" % size, pages, size, {**ALL_TYPES, "reverseOrder": True})
check("thousand_events", pages, None, THOUSAND_EVENTS)
check("without_data", without_data)
check("execution_does_not_exist", error, NOBODY, "ExecutionDoesNotExist",
      "Execution Does Not Exist: '%s'" % NOBODY["executionArn"])
check("invalid_arn", error, {"executionArn": "hello"}, "InvalidArn",
      "Invalid Arn: 'Invalid ARN prefix: hello'")
check("invalid_token", error, {**ALL_TYPES, "nextToken": "x"}, "InvalidToken",
      "Invalid Token: 'Invalid token'")
check("validation", error, {**ALL_TYPES, "maxResults": 1001}, "ValidationException",
      "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: "
      "Member must have value less than or equal to 1000")
