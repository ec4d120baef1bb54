"""Appends a history, reads it in both directions, follows it, and handles errors.

Usage: example.py EXECUTION_ARN
How to build and run it: ../README.md
"""

import os
import pathlib
import sys

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from annals.v1.history_event_pb2 import HistoryEvent, HistoryEventType
from annals.v1.history_service_pb2 import (
    AppendHistoryEventsRequest,
    GetExecutionHistoryRequest,
    WatchExecutionHistoryRequest,
)
from annals.v1.history_service_pb2_grpc import HistoryServiceStub

STARTED = HistoryEvent(
    id=1,
    type=HistoryEventType.HISTORY_EVENT_TYPE_EXECUTION_STARTED,
    execution_started_event_details={"input": "{}"},
)
ENTERED = HistoryEvent(
    id=2,
    type=HistoryEventType.HISTORY_EVENT_TYPE_PASS_STATE_ENTERED,
    previous_event_id=1,
    state_entered_event_details={"name": "Greet", "input": "{}"},
)
EXITED = HistoryEvent(
    id=3,
    type=HistoryEventType.HISTORY_EVENT_TYPE_PASS_STATE_EXITED,
    previous_event_id=2,
    state_exited_event_details={"name": "Greet", "output": '"hello"'},
)
SUCCEEDED = HistoryEvent(
    id=4,
    type=HistoryEventType.HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED,
    previous_event_id=3,
    execution_succeeded_event_details={"output": '"hello"'},
)


def read(name):
    """What is in the file that a variable of the environment names, or None."""
    path = os.environ.get(name)
    return pathlib.Path(path).read_bytes() if path else None


def connect():
    endpoint = os.environ.get("ANNALS_ENDPOINT", "127.0.0.1:50051")
    config = pathlib.Path("../../../proto/annals/v1/history_service_config.json")
    options = [
        ("grpc.service_config", config.read_text()),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    ]
    ca = read("ANNALS_CA_FILE")
    if not ca:
        return grpc.insecure_channel(endpoint, options)
    credentials = grpc.ssl_channel_credentials(
        ca, read("ANNALS_KEY_FILE"), read("ANNALS_CERT_FILE")
    )
    token = os.environ.get("ANNALS_TOKEN")
    if token:
        credentials = grpc.composite_channel_credentials(
            credentials, grpc.access_token_call_credentials(token)
        )
    return grpc.secure_channel(endpoint, credentials, options)


def error_info(error):
    """Why a call failed: the ErrorInfo in the google.rpc.Status in its trailer."""
    info = ErrorInfo()
    status = rpc_status.from_call(error)
    if not status or not any(detail.Unpack(info) for detail in status.details):
        raise error
    return info


def show(what, event):
    print(f"{what}: {event.id} {HistoryEventType.Name(event.type)}")


def page_through(history, arn, reverse):
    request = GetExecutionHistoryRequest(
        execution_arn=arn, max_results=2, reverse_order=reverse
    )
    while True:
        page = history.GetExecutionHistory(request)
        for event in page.events:
            show("reverse" if reverse else "forward", event)
        if not page.next_token:
            return
        request.next_token = page.next_token


def follow(history, arn):
    """Shows what is stored, then what is appended meanwhile, until the execution ends."""
    request = WatchExecutionHistoryRequest(execution_arn=arn)
    for response in history.WatchExecutionHistory(request):
        for event in response.events:
            show("live", event)
            if event.id == EXITED.id:
                append(history, arn, SUCCEEDED)


def append(history, arn, *events):
    """Appends events. May be repeated, as ids and events tell what is there already."""
    request = AppendHistoryEventsRequest(execution_arn=arn, events=events)
    return history.AppendHistoryEvents(request)


def conflict(history, arn):
    other = HistoryEvent()
    other.CopyFrom(ENTERED)
    other.state_entered_event_details.name = "Other"
    try:
        append(history, arn, other)
    except grpc.RpcError as error:
        info = error_info(error)
        if info.reason != "EVENT_CONFLICT":
            raise
        print(f"{info.reason}: go on from {info.metadata['expected_event_id']}")


def not_found(history, arn):
    try:
        history.GetExecutionHistory(GetExecutionHistoryRequest(execution_arn=arn))
    except grpc.RpcError as error:
        info = error_info(error)
        if info.reason != "EXECUTION_DOES_NOT_EXIST":
            raise
        print(f"{info.reason}: {info.metadata['execution_arn']}")


def main():
    arn = sys.argv[1]
    with connect() as channel:
        history = HistoryServiceStub(channel)
        print("appended:", append(history, arn, STARTED, ENTERED, EXITED).last_event_id)
        page_through(history, arn, reverse=False)
        page_through(history, arn, reverse=True)
        follow(history, arn)
        conflict(history, arn)
        not_found(history, arn + "-other")


if __name__ == "__main__":
    main()
