"""The manifests of Kubernetes: valid, restricted, and of one mind with each other and the server."""

import glob
import os
import re
import unittest

import yaml

from tests.deploy import container, manifests, pod_security

try:
    import kubernetes_validate
except ImportError:
    kubernetes_validate = None

OLDEST = "1.27"  # where all that is used is on by default
CLOSING_S = 20  # what is left for closing the store
# Kinds that others than Kubernetes define: prometheus-operator.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}
SERVER_LABELS = {"app.kubernetes.io/name": "annals", "app.kubernetes.io/component": "server"}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


@unittest.skipUnless(manifests.KUSTOMIZE, "neither kubectl nor Go is there")
class FilesTest(unittest.TestCase):
    def test_each_is_part_of_something(self):
        """No file lies about that nothing renders."""
        files = {os.path.normpath(p) for p in glob.glob(manifests.FOLDER + "/**", recursive=True)
                 if os.path.isfile(p)}
        named = set().union(*(self.files_of(overlay) for overlay in manifests.ALL))
        self.assertEqual(files - named, set())

    def files_of(self, folder):
        """What a kustomization names, and what those name that it builds on."""
        path = os.path.normpath(os.path.join(manifests.FOLDER, folder, "kustomization.yaml"))
        one = yaml.safe_load(read(path))
        names = (one.get("resources", []) + one.get("components", [])
                 + [p["path"] for p in one.get("patches", []) if "path" in p]
                 + [f for g in one.get("configMapGenerator", []) for f in g["files"]])
        found = {path}
        for name in names:
            if os.path.isdir(os.path.join(manifests.FOLDER, folder, name)):
                found |= self.files_of(os.path.join(folder, name))
            else:
                found.add(os.path.normpath(os.path.join(manifests.FOLDER, folder, name)))
        return found

    @unittest.skipUnless(kubernetes_validate, "kubernetes-validate cannot be had")
    def test_schemas(self):
        for overlay in manifests.ALL:
            for version in OLDEST, kubernetes_validate.latest_version():
                for one in manifests.render(overlay):
                    if one["kind"] not in FOREIGN:
                        with self.subTest(overlay=overlay, version=version, kind=one["kind"],
                                          name=one["metadata"]["name"]):
                            kubernetes_validate.validate(one, version, strict=True)

    @unittest.skipUnless(kubernetes_validate, "kubernetes-validate cannot be had")
    def test_schemas_find_mistakes(self):
        """Each file is looked at closely enough to see one word that is wrong."""
        for one in manifests.render("overlays/tls"):
            one["specs"] = {}
            with self.assertRaises(kubernetes_validate.ValidationError, msg=one["kind"]):
                kubernetes_validate.validate(one, OLDEST, strict=True)


@unittest.skipUnless(manifests.KUSTOMIZE, "neither kubectl nor Go is there")
class RestrictedTest(unittest.TestCase):
    def test_pods(self):
        count = 0
        for overlay in manifests.ALL:
            for name, template in manifests.pods(manifests.render(overlay)):
                self.assertEqual(pod_security.violations(template), [], (overlay, name))
                count += 1
        self.assertEqual(count, 7)

    def test_more_than_restricted_asks(self):
        for overlay in manifests.ALL:
            for name, template in manifests.pods(manifests.render(overlay)):
                pod = template["spec"]
                self.assertIs(pod["automountServiceAccountToken"], False, name)
                for one in pod["containers"]:
                    self.assertIs(one["securityContext"]["readOnlyRootFilesystem"], True, name)
                    self.assertIn("memory", one["resources"]["limits"], name)
                    self.assertEqual(set(one["resources"]["requests"]), {"cpu", "memory"}, name)

    def broken(self, change):
        template = manifests.pods(manifests.render("base"))[0][1]
        change(template, template["spec"], template["spec"]["containers"][0])
        return pod_security.violations(template)

    def test_each_rule_is_looked_at(self):
        def of_container(key, value):
            return lambda template, pod, one: one["securityContext"].__setitem__(key, value)

        def of_pod(key, value):
            return lambda template, pod, one: pod["securityContext"].__setitem__(key, value)

        def without(key):
            return lambda template, pod, one: (one["securityContext"].pop(key, None),
                                               pod["securityContext"].pop(key, None))

        for change, text in (
                (lambda t, pod, c: pod.update(hostNetwork=True), "hostNetwork"),
                (lambda t, pod, c: pod.update(hostPID=True), "hostPID"),
                (lambda t, pod, c: pod.update(hostIPC=True), "hostIPC"),
                (lambda t, pod, c: pod["volumes"].append({"name": "v", "hostPath": {}}),
                 "volume v: hostPath"),
                (lambda t, pod, c: c["ports"][0].update(hostPort=1), "annalsd: hostPort"),
                (lambda t, pod, c: c["livenessProbe"]["httpGet"].update(host="h"),
                 "annalsd: host of livenessProbe"),
                (lambda t, pod, c: t["metadata"].update(annotations={
                    "container.apparmor.security.beta.kubernetes.io/annalsd": "unconfined"}),
                 "annotation container.apparmor.security.beta.kubernetes.io/annalsd"),
                (of_container("windowsOptions", {"hostProcess": True}), "annalsd: hostProcess"),
                (of_container("privileged", True), "annalsd: privileged"),
                (of_container("procMount", "Unmasked"), "annalsd: procMount"),
                (of_container("appArmorProfile", {"type": "Unconfined"}),
                 "annalsd: appArmorProfile"),
                (of_container("seLinuxOptions", {"type": "spc_t"}), "annalsd: seLinuxOptions"),
                (of_container("seLinuxOptions", {"user": "u"}), "annalsd: seLinuxOptions"),
                (of_container("runAsUser", 0), "annalsd: runAsUser"),
                (of_pod("runAsUser", 0), "pod: runAsUser"),
                (of_pod("sysctls", [{"name": "kernel.msgmax"}]), "pod: sysctl kernel.msgmax"),
                (of_pod("seccompProfile", {"type": "Unconfined"}), "pod: seccompProfile"),
                (without("seccompProfile"), "annalsd: no seccompProfile"),
                (without("capabilities"), "annalsd: capabilities are not dropped"),
                (of_container("capabilities", {"drop": ["ALL"], "add": ["NET_ADMIN"]}),
                 "annalsd: capabilities are added"),
                (without("allowPrivilegeEscalation"), "annalsd: allowPrivilegeEscalation"),
                (without("runAsNonRoot"), "annalsd: runAsNonRoot"),
                (of_container("runAsNonRoot", False), "annalsd: runAsNonRoot")):
            self.assertEqual(self.broken(change), [text])


@unittest.skipUnless(manifests.KUSTOMIZE, "neither kubectl nor Go is there")
class AgreementTest(unittest.TestCase):
    """What is said in two places is the same in both."""

    def setUp(self):
        self.overlays = {overlay: manifests.render(overlay) for overlay in
                         manifests.OVERLAYS + (manifests.MONITORED, manifests.ENCRYPTED)}

    def test_one_server_owns_one_volume(self):
        for objects in self.overlays.values():
            workload = manifests.find(objects, "StatefulSet", "annals")
            self.assertEqual(workload["spec"]["replicas"], 1)
            self.assertEqual(workload["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "data")
            self.assertEqual(set(workload["spec"]["persistentVolumeClaimRetentionPolicy"].values()),
                             {"Retain"})

    def test_options_are_options(self):
        names = set(re.findall(r'^ANNALS_OPTION\(\w+, "([a-z-]+)"', read("server/option.def"), re.M))
        for overlay, objects in self.overlays.items():
            self.assertEqual(set(manifests.options(objects)) - names, set(), overlay)
            for one in manifests.server(objects)[1].get("env", []):
                if not one["name"].startswith(("AWS_", "OTEL_", "POD_")):
                    self.assertIn(one["name"][len("ANNALS_"):].lower().replace("_", "-"), names)

    def test_files_are_mounted(self):
        """What is named by a variable is in a volume that has a file of that name."""
        files = {}
        for objects in self.overlays.values():
            pod, one = manifests.server(objects)
            mounted = {m["mountPath"]: m["name"] for m in one["volumeMounts"]}
            for variable in one.get("env", []):
                if variable["name"].endswith("_FILE"):
                    folder, name = os.path.split(variable["value"])
                    (volume,) = (v for v in pod["volumes"] if v["name"] == mounted[folder])
                    files[variable["name"]] = name
                    for source in volume.get("projected", {}).get("sources", ()):
                        self.assertEqual(source["serviceAccountToken"]["path"], name)
        self.assertEqual(files, {"ANNALS_KMS_KEY_FILE": "keys", "ANNALS_OTLP_HEADERS_FILE": "headers",
                                 "AWS_WEB_IDENTITY_TOKEN_FILE": "token"})

    def test_the_pod_outlives_the_drain(self):
        for overlay, objects in self.overlays.items():
            given = manifests.options(objects)
            drain_s = int(given["drain-delay"]) + int(given["drain-timeout"])
            pod, _ = manifests.server(objects)
            self.assertGreaterEqual(pod["terminationGracePeriodSeconds"], drain_s + CLOSING_S, overlay)

    def test_readiness_is_asked_within_the_delay(self):
        """Who follows readiness has been told before calls are refused."""
        for overlay, objects in self.overlays.items():
            probe = manifests.server(objects)[1]["readinessProbe"]
            self.assertLessEqual(probe["periodSeconds"],
                                 int(manifests.options(objects)["drain-delay"]), overlay)

    def test_memory(self):
        """The budget leaves a part of the limit to what it does not count."""
        for overlay, objects in self.overlays.items():
            limit = manifests.server(objects)[1]["resources"]["limits"]["memory"]
            self.assertTrue(limit.endswith("Mi"), limit)
            budget = int(manifests.options(objects)["memory-budget"])
            self.assertLessEqual(budget * 4, int(limit[:-2]) * 3, overlay)

    def test_labels(self):
        for objects in self.overlays.values():
            workload = manifests.find(objects, "StatefulSet", "annals")
            labels = manifests.pod_template(workload)["metadata"]["labels"]
            selectors = [workload["spec"]["selector"]["matchLabels"],
                         manifests.find(objects, "PodDisruptionBudget", "annals")
                         ["spec"]["selector"]["matchLabels"],
                         manifests.find(objects, "NetworkPolicy", "annals")
                         ["spec"]["podSelector"]["matchLabels"]]
            selectors += [o["spec"]["selector"] for o in objects if o["kind"] == "Service"]
            for selector in selectors:
                self.assertEqual(selector, SERVER_LABELS)
                self.assertLessEqual(selector.items(), labels.items())

    def test_ports(self):
        for objects in self.overlays.values():
            _, one = manifests.server(objects)
            ports = {p["name"]: p["containerPort"] for p in one["ports"]}
            self.assertEqual(ports, {"grpc": 50051, "gateway": 8083, "ops": 9464})
            for service in (o for o in objects if o["kind"] == "Service"):
                for port in service["spec"]["ports"]:
                    self.assertEqual(ports[port["targetPort"]], port["port"])
            policy = manifests.find(objects, "NetworkPolicy", "annals")["spec"]
            for rule in policy["ingress"]:
                for port in rule["ports"]:
                    self.assertIn(port["port"], ports)

    def test_volumes_and_mounts(self):
        for objects in self.overlays.values():
            claims = {c["metadata"]["name"] for c in
                      manifests.find(objects, "StatefulSet", "annals")["spec"]["volumeClaimTemplates"]}
            for name, template in manifests.pods(objects):
                pod = template["spec"]
                volumes = {v["name"] for v in pod["volumes"]}
                mounts = {m["name"] for c in pod["containers"] for m in c["volumeMounts"]}
                self.assertEqual(volumes | (claims if name.startswith("Stateful") else set()), mounts)
                # A Secret mounted by subPath does not change with the Secret.
                self.assertNotIn("subPath", str(pod["containers"]))

    def test_who_scrapes_finds_the_server(self):
        objects = manifests.render(manifests.MONITORED)
        monitor = manifests.find(objects, "ServiceMonitor", "annals")["spec"]
        service = manifests.find(objects, "Service", "annals-ops")
        self.assertLessEqual(monitor["selector"]["matchLabels"].items(),
                             service["metadata"]["labels"].items())
        others = [o["metadata"]["name"] for o in objects if o["kind"] == "Service" and
                  monitor["selector"]["matchLabels"].items() <= o["metadata"]["labels"].items()]
        self.assertEqual(others, ["annals-ops"])
        self.assertEqual(service["metadata"]["labels"][monitor["jobLabel"]], "annals")
        self.assertIn('job="annals"', read("deploy/prometheus/alerts.yaml"))
        self.assertEqual(service["spec"]["selector"], SERVER_LABELS)
        (endpoint,), (port,) = monitor["endpoints"], service["spec"]["ports"]
        self.assertEqual((endpoint["port"], endpoint["path"]), (port["name"], "/metrics"))
        job = service["metadata"]["labels"][monitor["jobLabel"]]
        with open("deploy/prometheus/alerts.yaml", encoding="utf-8") as f:
            self.assertEqual(set(re.findall('job="([^"]+)"', f.read())), {job})

    def test_only_clients_get_through(self):
        for objects in self.overlays.values():
            policy = manifests.find(objects, "NetworkPolicy", "annals")["spec"]
            self.assertEqual(policy["policyTypes"], ["Ingress", "Egress"])
            self.assertEqual(policy["egress"], [])
            wanted = policy["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
            for name, template in manifests.pods(objects):
                if name.startswith("CronJob"):
                    self.assertLessEqual(wanted.items(), template["metadata"]["labels"].items())

    def test_exporting_server_reaches_its_collector(self):
        objects = manifests.render(manifests.MONITORED)
        policy = manifests.find(objects, "NetworkPolicy", "annals-otlp")["spec"]
        self.assertEqual(policy["policyTypes"], ["Egress"])
        self.assertEqual(policy["podSelector"]["matchLabels"], SERVER_LABELS)
        _, one = manifests.server(objects)
        env = {e["name"]: e.get("value") for e in one["env"]}
        # What stands in brackets is made of what stands before it.
        names = [e["name"] for e in one["env"]]
        for name in re.findall(r"\$\((\w+)\)", env["OTEL_RESOURCE_ATTRIBUTES"]):
            self.assertLess(names.index(name), names.index("OTEL_RESOURCE_ATTRIBUTES"))
        _, namespace, port = re.fullmatch(r"http://([\w-]+)\.([\w-]+):(\d+)",
                                          env["ANNALS_OTLP_ENDPOINT"]).groups()
        (collector,) = policy["egress"][0]["to"]
        self.assertEqual(collector["namespaceSelector"]["matchLabels"],
                         {"kubernetes.io/metadata.name": namespace})
        self.assertEqual([p["port"] for p in policy["egress"][0]["ports"]], [int(port)])

    def test_who_encrypts_reaches_its_keys(self):
        """KMS and STS over HTTPS, the agent of Pod Identity on its node, names; and nothing else."""
        policy = manifests.find(manifests.render(manifests.ENCRYPTED), "NetworkPolicy", "annals-kms")
        self.assertEqual(policy["spec"]["policyTypes"], ["Egress"])
        self.assertEqual(policy["spec"]["podSelector"]["matchLabels"], SERVER_LABELS)
        self.assertEqual([({next(iter(to)) for to in rule.get("to", ())},
                           [(p["protocol"], p["port"]) for p in rule["ports"]])
                          for rule in policy["spec"]["egress"]],
                         [(set(), [("TCP", 443)]), ({"ipBlock"}, [("TCP", 80)]),
                          ({"namespaceSelector"}, [("UDP", 53), ("TCP", 53)])])

    @unittest.skipUnless(container.CONFIG, container.PROBLEM)
    def test_image(self):
        config = container.image_config()
        user, group = map(int, config["User"].split(":"))
        for overlay in self.overlays.values():
            pod, one = manifests.server(overlay)
            context = pod["securityContext"]
            self.assertEqual((context["runAsUser"], context["runAsGroup"]), (user, group))
            self.assertIn(next(iter(config["Volumes"])),
                          [m["mountPath"] for m in one["volumeMounts"]])


