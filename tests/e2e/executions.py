"""What is to be said of executions, told from the events of their histories."""

import time

from tests.e2e.annalsd import MACHINE_ARN

ENDS = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionAborted": "ABORTED",
}
REDRIVABLE_S = 14 * 86400


def details(event):
    return next((v for k, v in event.items() if k.endswith("EventDetails")), {})


def redrive_status(status, stopped, map_run):
    """What DescribeExecution says of a redrive."""
    if status in ("RUNNING", "SUCCEEDED"):
        reason = "Execution is %s and cannot be redriven" % status
    elif time.time() - stopped > REDRIVABLE_S:
        reason = "Execution redrivable period exceeded"
    else:
        return {"redriveStatus": "REDRIVABLE_BY_MAP_RUN" if map_run else "REDRIVABLE"}
    return {"redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": reason}


def item(execution_arn, events, machine=MACHINE_ARN, **told):
    """An execution as it is listed, from its events and what its first append told."""
    turns = [e for e in events if e["type"] in ENDS or e["type"] == "ExecutionRedriven"]
    redrives = [e for e in turns if e["type"] == "ExecutionRedriven"]
    whole = {
        "executionArn": execution_arn,
        "stateMachineArn": machine,
        "name": execution_arn.rpartition(":")[2],
        "status": ENDS.get(turns[-1]["type"], "RUNNING") if turns else "RUNNING",
        "startDate": events[0]["timestamp"],
        "redriveCount": len(redrives),
        **{k: v for k, v in told.items() if k != "traceHeader"},
    }
    if whole["status"] != "RUNNING":
        whole["stopDate"] = turns[-1]["timestamp"]
    if redrives:
        whole["redriveDate"] = redrives[-1]["timestamp"]
    for name in "stateMachineVersionArn", "stateMachineAliasArn":
        if name in details(events[0]):
            whole[name] = details(events[0])[name]
    return whole


def description(execution_arn, events, with_data=True, **told):
    """An execution as it is described."""
    whole = item(execution_arn, events, **told)
    whole.pop("itemCount", None)
    if "traceHeader" in told:
        whole["traceHeader"] = told["traceHeader"]
    whole.update(redrive_status(whole["status"], whole.get("stopDate"), "mapRunArn" in told))
    if with_data:
        last = [e for e in events if e["type"] in ENDS][-1:]
        data = {k: v for k, v in details(events[0]).items() if k == "input"}
        if last and whole["status"] != "RUNNING":
            data.update({k: v for k, v in details(last[0]).items()
                         if k in ("output", "error", "cause")})
        for name in "input", "output":
            if name in data:
                data[name + "Details"] = {"included": True}
        whole.update(data)
    return whole


def newest_first(items):
    return sorted(items, key=lambda e: (-e["startDate"], e["executionArn"]))
