"""The manifests of deploy/kubernetes, rendered as `kubectl apply -k` renders them."""

import configparser
import functools
import os
import re
import shlex
import subprocess

import yaml

FOLDER = "deploy/kubernetes"
KUSTOMIZE = shlex.split(os.environ.get("KUSTOMIZE", ""))
# What has a server; then what can be applied.
OVERLAYS = "base", "overlays/single-node", "overlays/tls"
MONITORED = "../../tests/deploy/overlays/monitored"
ENCRYPTED = "../../tests/deploy/overlays/encrypted"
ALL = OVERLAYS + ("restore", MONITORED, ENCRYPTED)


@functools.lru_cache(maxsize=None)
def _render(overlay):
    done = subprocess.run([*KUSTOMIZE, os.path.join(FOLDER, overlay)], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0 or done.stderr:
        raise AssertionError("%s: %s" % (overlay, done.stderr))
    return done.stdout


def render(overlay):
    """The objects of an overlay; a copy of its own for each caller."""
    return list(yaml.safe_load_all(_render(overlay)))


def render_by_guide(name):
    """What the command in deploy/README.md that renders this object makes of it."""
    with open("deploy/README.md", encoding="utf-8") as f:
        (script,) = re.findall(r"kubectl kustomize %s/restore \| sed '([^']*%s/)'" % (FOLDER, name),
                               f.read())
    text = subprocess.run(["sed", script], input=_render("restore"), capture_output=True, text=True,
                          check=True).stdout
    return list(yaml.safe_load_all(text))


def find(objects, kind, name):
    found = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    if len(found) != 1:
        raise AssertionError("%d of %s %s" % (len(found), kind, name))
    return found[0]


def pod_template(workload):
    """The pod template of a StatefulSet, a CronJob and so on."""
    spec = workload["spec"]
    return (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]


def pods(objects):
    """Name and pod template of each object that makes pods."""
    return [("%s %s" % (o["kind"], o["metadata"]["name"]), pod_template(o)) for o in objects
            if o["kind"] in ("StatefulSet", "Deployment", "DaemonSet", "Job", "CronJob")]


def server(objects):
    """The pod of the server, and its container."""
    pod = pod_template(find(objects, "StatefulSet", "annals"))["spec"]
    (only,) = pod["containers"]
    return pod, only


def config_map(objects, pod, volume_name):
    (volume,) = (v for v in pod["volumes"] if v["name"] == volume_name)
    return find(objects, "ConfigMap", volume["configMap"]["name"])["data"]


def options(objects):
    """The server's options, of its configuration file."""
    pod, _ = server(objects)
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(config_map(objects, pod, "config")["annalsd.ini"])
    return dict(parser["annalsd"])
