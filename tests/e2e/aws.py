"""Debian's AWS clients: the AWS CLI and boto3, pointed at a gateway."""

import datetime
import importlib.util
import json
import os
import subprocess

from tests.e2e import annalsd

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_PAGER": "",
    "NO_PROXY": "*",
}


def run_cli(gateway, *args, command="get-execution-history"):
    """Runs `aws stepfunctions COMMAND`."""
    return subprocess.run(
        ["aws", "stepfunctions", command, "--endpoint-url", "http://" + gateway, "--output", "json",
         *args],
        env=annalsd.environment(**ENVIRONMENT, HOME=annalsd.new_dir()), timeout=annalsd.WAIT_S,
        stdin=subprocess.DEVNULL, capture_output=True, text=True)


def cli_history(gateway, execution_arn, *args):
    done = run_cli(gateway, "--execution-arn", execution_arn, *args)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"events"}, set(answer)
    return [with_number(e) for e in answer["events"]]


def boto3_client(gateway, retries=None):
    os.environ.update(ENVIRONMENT)
    import boto3
    from botocore.config import Config

    return boto3.client("stepfunctions", endpoint_url="http://" + gateway,
                        config=Config(retries=retries or {"max_attempts": 0}, proxies={}))


def boto3_history(client, execution_arn, **more):
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution_arn, **more)
    return [with_number(e) for page in pages for e in page["events"]]


def seconds(date):
    """Clients turn timestamps into dates: back to seconds."""
    if isinstance(date, str):
        date = datetime.datetime.fromisoformat(date)
    return round(date.timestamp() * 1000) / 1000


def with_number(event):
    return {**event, "timestamp": seconds(event["timestamp"])}


def execution_with_numbers(execution):
    """The same for a description, or an execution of a listing, without what HTTP said."""
    return {k: seconds(v) if k in ("startDate", "stopDate", "redriveDate") else v
            for k, v in execution.items() if k != "ResponseMetadata"}


class Model:
    """A client's model of the service, which may be older than the service."""

    def __init__(self, package):
        folder = os.path.dirname(importlib.util.find_spec(package).origin)
        path = os.path.join(folder, "data/stepfunctions/2016-11-23/service-2.json")
        with open(path, encoding="utf-8") as f:
            self.shapes = json.load(f)["shapes"]

    def prune(self, value, shape="HistoryEvent"):
        """What the client keeps of a value."""
        about = self.shapes[shape]
        if about["type"] == "structure":
            members = about["members"]
            return {k: self.prune(v, members[k]["shape"]) for k, v in value.items() if k in members}
        return value


def authorization(service, region, key_id, secret, url, body, headers):
    """What botocore signs a request with: headers are those to be signed, X-Amz-Date among them."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("POST", url, data=body, headers=headers)
    request.context["timestamp"] = request.headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials(key_id, secret), service, region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s" % (
        signer.scope(request), signer.signed_headers(signer.headers_to_sign(request)),
        signer.signature(text, request))
