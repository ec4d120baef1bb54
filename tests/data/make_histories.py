#!/usr/bin/python3
"""Makes the histories beside this file in AWS's JSON form, one event a line.

Usage: tests/data/make_histories.py [FILE…]
Without a FILE: all of them. all_types.json and hello_world.json are written by hand.
"""

import json
import os
import sys

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "histories")


def text(value):
    """JSON text, as payloads are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def member(event_type):
    """The member that holds the details of an event type."""
    if event_type.endswith("StateEntered"):
        return "stateEnteredEventDetails"
    if event_type.endswith("StateExited"):
        return "stateExitedEventDetails"
    return event_type[0].lower() + event_type[1:] + "EventDetails"


class History:
    """A history under construction: ids and timestamps follow by themselves."""

    def __init__(self, start_ms=1718000000000, step_ms=17):
        self.events = []
        self.now_ms = start_ms
        self.step_ms = step_ms

    def add(self, event_type, details=None, previous=None):
        """Adds an event and returns its id. previous: by default the event before."""
        event_id = len(self.events) + 1
        if previous is None:
            # AWS says 0 for the first state entered, too.
            previous = 0 if event_id <= 2 else event_id - 1
        seconds, millis = divmod(self.now_ms, 1000)
        event = {
            "timestamp": seconds + millis / 1000 if millis else seconds,
            "type": event_type,
            "id": event_id,
            "previousEventId": previous,
        }
        if details is not None:
            event[member(event_type)] = details
        self.events.append(event)
        # Most neighbours share a millisecond.
        if event_id % 3 == 0:
            self.now_ms += self.step_ms
        return event_id

    def start(self, value, role="runner"):
        return self.add("ExecutionStarted", {
            "input": text(value),
            "inputDetails": {"truncated": False},
            "roleArn": "arn:aws:iam::123456789012:role/" + role,
        })

    def enter(self, kind, name, value, previous=None):
        details = {"name": name, "input": text(value), "inputDetails": {"truncated": False}}
        return self.add(kind + "StateEntered", details, previous)

    def leave(self, kind, name, value, previous=None, variables=None):
        details = {"name": name, "output": text(value), "outputDetails": {"truncated": False}}
        if variables:
            details["assignedVariables"] = {k: text(v) for k, v in variables.items()}
            details["assignedVariablesDetails"] = {"truncated": False}
        return self.add(kind + "StateExited", details, previous)

    def task(self, name, value, resource, result=None, failure=None, previous=None):
        """A Task state: entered, scheduled, started, and done unless it fails.

        failure: error and, if it is known, cause.
        """
        about = {"resourceType": "lambda", "resource": resource}
        self.enter("Task", name, value, previous)
        self.add("TaskScheduled", {
            **about,
            "region": "us-east-1",
            "parameters": text({"FunctionName": name, "Payload": value}),
            "timeoutInSeconds": 300,
        })
        self.add("TaskStarted", about)
        if failure:
            return self.add("TaskFailed", {**about, **dict(zip(("error", "cause"), failure))})
        self.add("TaskSucceeded", {
            **about, "output": text(result), "outputDetails": {"truncated": False}})
        return self.leave("Task", name, result)


def order_fulfilment():
    """Tasks, a choice, a map with a retried iteration, a wait, and a failure in the end."""
    history = History(step_ms=431)
    order = {"order": 4711, "customer": "Zoë", "items": ["tea", "café crème", "茶"], "total": 42.5}
    history.start(order, "order-fulfilment")
    history.task("Reserve stock", order, "invoke", {"reserved": True, "warehouse": "HAM-2"})
    history.enter("Choice", "In stock?", {"reserved": True})
    history.leave("Choice", "In stock?", {"reserved": True})
    history.enter("Map", "Pack items", {"items": order["items"]})
    started = history.add("MapStateStarted", {"length": 3})
    ends = []
    for index, item in enumerate(order["items"]):
        iteration = {"name": "Pack items", "index": index}
        begin = history.add("MapIterationStarted", iteration, previous=started)
        if index == 1:
            failed = history.task("Pack", {"item": item}, "invoke", previous=begin,
                                  failure=("Packing.BoxTooSmall", "café crème needs a box of 12 cm"))
            # A retry: scheduled again from the failure.
            about = {"resourceType": "lambda", "resource": "invoke"}
            history.add("TaskScheduled", {
                **about,
                "region": "us-east-1",
                "parameters": text({"FunctionName": "Pack", "Payload": {"item": item}}),
                "timeoutInSeconds": 300,
            }, previous=failed)
            history.add("TaskStarted", about)
            history.add("TaskSucceeded", {
                **about, "output": text({"box": "B12"}), "outputDetails": {"truncated": False}})
            left = history.leave("Task", "Pack", {"box": "B12"})
        else:
            left = history.task("Pack", {"item": item}, "invoke", {"box": "B8"}, previous=begin)
        ends.append(history.add("MapIterationSucceeded", iteration, previous=left))
    history.add("MapStateSucceeded", previous=ends[-1])
    boxes = {"boxes": ["B8", "B12", "B8"]}
    history.leave("Map", "Pack items", boxes, variables={"boxes": boxes["boxes"], "attempts": 4})
    history.enter("Wait", "Await pick-up", boxes)
    history.now_ms += 3600 * 1000
    history.leave("Wait", "Await pick-up", boxes)
    history.task("Charge card", {"amount": 42.5}, "invoke", failure=(
        "Payment.Declined", text({"errorMessage": "Card declined: \"insufficient funds\"", "code": 51})))
    history.leave("Task", "Charge card", {"declined": True})
    history.task("Release stock", {"warehouse": "HAM-2"}, "invoke", {"released": True})
    history.enter("Fail", "Order not paid", {"released": True})
    history.add("ExecutionFailed", {
        "error": "Order.NotPaid", "cause": "The card of order 4711 was declined; stock is released"})
    return history.events


def redrive():
    """An execution that failed, was redriven, failed again, was redriven and succeeded."""
    history = History()
    history.start({"try": 1})
    for count in (0, 1, 2):
        if count:
            history.now_ms += 86400 * 1000
            history.add("ExecutionRedriven", {"redriveCount": count})
        if count < 2:
            history.task("Flaky", {"try": count}, "invoke",
                         failure=("States.TaskFailed", "connection reset"))
            history.add("ExecutionFailed", {"error": "States.TaskFailed", "cause": "connection reset"})
        else:
            history.task("Flaky", {"try": count}, "invoke", {"ok": True})
            history.add("ExecutionSucceeded", {
                "output": text({"ok": True}), "outputDetails": {"truncated": False}})
    return history.events


def branches():
    """A Parallel state whose branches interleave; one fails, and the others are aborted."""
    history = History()
    history.start({"n": 3})
    history.enter("Parallel", "Fan out", {"n": 3})
    begin = history.add("ParallelStateStarted")
    entered = [history.enter("Wait", "Wait %d" % i, {"branch": i}, previous=begin) for i in range(3)]
    left = history.leave("Wait", "Wait 0", {"branch": 0}, previous=entered[0])
    history.enter("Pass", "Shape", {"branch": 0}, previous=left)
    history.leave("Pass", "Shape", {"shape": "□"})
    history.task("Third", {"branch": 2}, "invoke", previous=entered[2],
                 failure=["States.Timeout"])
    history.add("WaitStateAborted", previous=entered[1])
    history.add("ParallelStateFailed", previous=begin)
    history.add("ExecutionAborted", {})
    return history.events


def nested_maps():
    """Maps in maps, three levels deep, with an empty one, and a distributed map."""
    history = History()
    history.start({"depth": 3})

    def walk(depth, path, previous):
        name = "Level %d" % depth
        history.enter("Map", name, path, previous=previous)
        length = 0 if path == [1, 1] else 2
        begin = history.add("MapStateStarted", {"length": length})
        for index in range(length):
            inner = history.add("MapIterationStarted", {"name": name, "index": index}, previous=begin)
            if depth < 3:
                inner = walk(depth + 1, path + [index], inner)
            history.add("MapIterationSucceeded", {"name": name, "index": index}, previous=inner)
        history.add("MapStateSucceeded")
        return history.leave("Map", name, path)

    walk(1, [], 0)
    run = "arn:aws:states:us-east-1:123456789012:mapRun:Nested/Distributed:" \
          "0c2f6c5e-0f5a-4f6e-9d6a-2d9c1f2b3a4d"
    history.enter("Map", "Distributed", {"items": 1000})
    history.add("MapStateStarted", {"length": 0})
    history.add("MapRunStarted", {"mapRunArn": run})
    history.add("MapRunFailed", {"error": "States.ExceedToleratedFailureThreshold",
                                 "cause": "The specified tolerated failure threshold was exceeded"})
    history.add("MapRunRedriven", {"mapRunArn": run, "redriveCount": 1})
    history.add("MapRunSucceeded")
    history.add("MapStateSucceeded")
    history.leave("Map", "Distributed", {"done": 1000})
    history.add("ExecutionSucceeded", {"output": "{}", "outputDetails": {"truncated": False}})
    return history.events


def loop(count):
    """A history of count events that goes round in a loop of Pass states."""
    history = History(step_ms=3)
    history.start({"rounds": (count - 2) // 2})
    while len(history.events) + 2 < count:
        rounds = len(history.events) // 2
        history.enter("Pass", "Count", {"round": rounds})
        history.leave("Pass", "Count", {"round": rounds + 1})
    while len(history.events) + 1 < count:
        history.add("ParallelStateStarted")
    history.add("ExecutionSucceeded", {
        "output": text({"events": count}), "outputDetails": {"truncated": False}})
    return history.events


HISTORIES = {
    "branches.json": branches,
    "nested_maps.json": nested_maps,
    "order_fulfilment.json": order_fulfilment,
    "redrive.json": redrive,
    "thousand_events.json": lambda: loop(1000),
}


def render(events):
    return '{"events":[\n%s\n]}\n' % ",\n".join(text(event) for event in events)


def main():
    for name in sys.argv[1:] or HISTORIES:
        with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as f:
            f.write(render(HISTORIES[name]()))


if __name__ == "__main__":
    main()
