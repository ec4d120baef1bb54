"""Runs what a manifest says as the kubelet does: arguments, environment, mounts, user and probes are
those of the rendered manifest, and of nothing else."""

import http.client
import os
import sys
import tempfile
import time

import grpc

from tests.deploy import container, manifests
from tests.e2e import annalsd

# The modules of the standard services are below grpc/, like the installed package.
grpc.__path__ += [os.path.join(path, "grpc") for path in sys.path]
from grpc.health.v1 import health_pb2  # noqa: E402

WAIT_S = annalsd.WAIT_S


class Volume:
    """A ConfigMap or Secret as the kubelet keeps it: files are links to ..data, which is a link to
    the folder of the moment, and is exchanged for another in one step."""

    def __init__(self, content, mode, group, items=None):
        self.path = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        os.chmod(self.path, 0o755)
        self.mode, self.group = mode, group
        self.names = {i["key"]: i["path"] for i in items} if items else None
        self.version = 0
        self.set(content)
        for name in self._files(content):
            os.symlink(os.path.join("..data", name), os.path.join(self.path, name))

    def _files(self, content):
        if self.names is None:
            return content
        return {path: content[key] for key, path in self.names.items()}

    def set(self, content):
        """Takes new content, as the kubelet does a while after the object has changed."""
        self.version += 1
        folder = "..2026_%d" % self.version
        os.mkdir(os.path.join(self.path, folder), 0o755)
        for name, data in self._files(content).items():
            path = os.path.join(self.path, folder, name)
            with open(path, "wb") as f:
                f.write(data if isinstance(data, bytes) else data.encode())
            os.chown(path, 0, self.group)
            os.chmod(path, self.mode)
        os.symlink(folder, os.path.join(self.path, "..data_tmp"))
        os.rename(os.path.join(self.path, "..data_tmp"), os.path.join(self.path, "..data"))


class Pod:
    """The one pod of a workload. claims: directories, by the name of the volume that they are;
    secrets: their content, by name, and tokens of the
    service account, by audience."""

    def __init__(self, objects, workload, secrets, claims=None):
        self.spec = manifests.pod_template(workload)["spec"]
        (self.container_spec,) = self.spec["containers"]
        self.context = {**self.spec["securityContext"], **self.container_spec["securityContext"]}
        self.volumes = {}
        self.claims = dict(claims or {})
        for volume in self.spec["volumes"]:
            if "persistentVolumeClaim" not in volume:
                self.volumes[volume["name"]] = self._projected(objects, volume, secrets)
        for claim in workload["spec"].get("volumeClaimTemplates", []):
            self.claims.setdefault(claim["metadata"]["name"],
                                   container.volume(group=self.context["fsGroup"]))

    def _projected(self, objects, volume, secrets):
        if "configMap" in volume:
            source, content = volume["configMap"], manifests.config_map(objects, self.spec,
                                                                        volume["name"])
        elif "projected" in volume:
            source, content = volume["projected"], {}
            for one in source["sources"]:
                token = one["serviceAccountToken"]
                content[token["path"]] = secrets[token["audience"]]
        else:
            source, content = volume["secret"], secrets[volume["secret"]["secretName"]]
        return Volume(content, source.get("defaultMode", 0o644), self.context["fsGroup"],
                      source.get("items"))

    def _mounts(self):
        # The kubelet's own: names that the cluster's DNS would know.
        path = os.path.join(tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR")), "hosts")
        with open(path, "w", encoding="ascii") as f:
            f.write("127.0.0.1 localhost annals annals-headless annals-gateway\n")
        os.chmod(path, 0o644)
        yield container.bind(path, "/etc/hosts")
        for mount in self.container_spec["volumeMounts"]:
            name = mount["name"]
            source = self.claims[name] if name in self.claims else self.volumes[name].path
            yield container.bind(source, mount["mountPath"], mount.get("readOnly", False))

    def run(self):
        """Starts the container. Returns it."""
        image = container.image_config()
        env = dict(e.split("=", 1) for e in image["Env"])
        env.update((e["name"], e["value"]) for e in self.container_spec.get("env", []))
        command = self.container_spec.get("command") or image["Entrypoint"]
        assert self.context["capabilities"] == {"drop": ["ALL"]}, self.context
        assert self.context["allowPrivilegeEscalation"] is False, self.context
        assert self.context["seccompProfile"] == {"type": "RuntimeDefault"}, self.context
        self.container = container.Container(container.spec(
            [*command, *self.container_spec.get("args", [])],
            ["%s=%s" % pair for pair in env.items()], list(self._mounts()),
            user=self.context["runAsUser"], group=self.context["runAsGroup"],
            groups=[self.context["fsGroup"]],
            read_only=self.context["readOnlyRootFilesystem"]))
        return self.container

    def port(self, name):
        if isinstance(name, int):
            return name
        (port,) = (p["containerPort"] for p in self.container_spec["ports"] if p["name"] == name)
        return port

    def probe(self, name):
        """Asks a probe once, as the kubelet does. Returns whether it succeeds."""
        probe = self.container_spec[name]
        timeout = probe["timeoutSeconds"]
        if "grpc" in probe:
            return self._probe_grpc(probe["grpc"], timeout)
        return self._probe_http(probe["httpGet"], timeout)

    def _probe_grpc(self, probe, timeout):
        address = "127.0.0.1:%d" % probe["port"]
        with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString)
            try:
                request = health_pb2.HealthCheckRequest(service=probe.get("service", ""))
                return check(request, timeout=timeout).status == health_pb2.HealthCheckResponse.SERVING
            except grpc.RpcError:
                return False

    def _probe_http(self, probe, timeout):
        assert probe.get("scheme", "HTTP") == "HTTP", probe
        connection = http.client.HTTPConnection("127.0.0.1", self.port(probe["port"]),
                                                timeout=timeout)
        try:
            connection.request("GET", probe["path"])
            return 200 <= connection.getresponse().status < 400
        except OSError:
            return False
        finally:
            connection.close()

    def wait_for(self, name, wanted=True):
        """Asks a probe until it says what is wanted."""
        deadline = time.monotonic() + WAIT_S
        while self.probe(name) != wanted:
            if time.monotonic() > deadline or self.container.process.poll() is not None:
                raise AssertionError("%s is not %s:\n%s" % (name, wanted, self.container.log()))
            time.sleep(0.05)
