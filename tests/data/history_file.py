"""The files of histories, in AWS's JSON form."""

import json

DATA = {"input", "inputDetails", "output", "outputDetails", "assignedVariables",
        "assignedVariablesDetails"}


def load(path):
    """The events of a file, oldest first."""
    with open(path, encoding="utf-8") as f:
        return sorted(json.load(f)["events"], key=lambda e: e["id"])


def without_data(event):
    """An event as AWS gives it without execution data."""
    bare = {}
    for key, value in event.items():
        if isinstance(value, dict):
            value = {k: v for k, v in value.items() if k not in DATA}
            if "parameters" in value:
                value["parameters"] = ""
        bare[key] = value
    return bare
