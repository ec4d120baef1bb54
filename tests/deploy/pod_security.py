"""The profile "restricted" of Kubernetes' Pod Security Standards, with "baseline" in it.

Source: the Pod Security Standards of Kubernetes' documentation, all controls of both profiles.
"""

VOLUME_TYPES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
                "projected", "secret"}
SYSCTLS = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
           "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
           "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
           "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
           "net.ipv4.tcp_keepalive_probes"}
SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
HANDLERS = ("startupProbe",), ("readinessProbe",), ("livenessProbe",), (
    "lifecycle", "postStart"), ("lifecycle", "preStop")


def _contexts(pod):
    """The security contexts of the pod and of each of its containers, with a name for each."""
    yield "pod", pod.get("securityContext") or {}
    for container in _containers(pod):
        yield container["name"], container.get("securityContext") or {}


def _containers(pod):
    for key in "initContainers", "containers", "ephemeralContainers":
        yield from pod.get(key) or ()


def _inherited(pod, container, key):
    own = (container.get("securityContext") or {}).get(key)
    return (pod.get("securityContext") or {}).get(key) if own is None else own


def _of_the_host(pod):
    for key in "hostNetwork", "hostPID", "hostIPC":
        if pod.get(key):
            yield key
    for volume in pod.get("volumes") or ():
        for kind in set(volume) - {"name"} - VOLUME_TYPES:
            yield "volume %s: %s" % (volume["name"], kind)
    for container in _containers(pod):
        if any(port.get("hostPort") for port in container.get("ports") or ()):
            yield "%s: hostPort" % container["name"]
        for path in HANDLERS:
            handler = container
            for key in path:
                handler = handler.get(key) or {}
            if any((handler.get(kind) or {}).get("host") for kind in ("httpGet", "tcpSocket")):
                yield "%s: host of %s" % (container["name"], path[-1])


def _of_contexts(pod):
    for name, context in _contexts(pod):
        if (context.get("windowsOptions") or {}).get("hostProcess"):
            yield "%s: hostProcess" % name
        if context.get("privileged"):
            yield "%s: privileged" % name
        if context.get("procMount", "Default") != "Default":
            yield "%s: procMount" % name
        if (context.get("appArmorProfile") or {}).get("type", "RuntimeDefault") == "Unconfined":
            yield "%s: appArmorProfile" % name
        selinux = context.get("seLinuxOptions") or {}
        if selinux.get("type", "") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
            yield "%s: seLinuxOptions" % name
        if context.get("runAsUser") == 0:
            yield "%s: runAsUser" % name
        for sysctl in context.get("sysctls") or ():
            if sysctl["name"] not in SYSCTLS:
                yield "%s: sysctl %s" % (name, sysctl["name"])
        profile = context.get("seccompProfile")
        if profile and profile.get("type") not in ("RuntimeDefault", "Localhost"):
            yield "%s: seccompProfile" % name


def _of_containers(pod):
    for container in _containers(pod):
        name, context = container["name"], container.get("securityContext") or {}
        capabilities = context.get("capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or ()):
            yield "%s: capabilities are not dropped" % name
        if set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
            yield "%s: capabilities are added" % name
        if context.get("allowPrivilegeEscalation") is not False:
            yield "%s: allowPrivilegeEscalation" % name
        if _inherited(pod, container, "runAsNonRoot") is not True:
            yield "%s: runAsNonRoot" % name
        if not _inherited(pod, container, "seccompProfile"):
            yield "%s: no seccompProfile" % name


def violations(template):
    """What a pod template has that "restricted" refuses, as a list of texts."""
    pod = template["spec"]
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    unconfined = ["annotation %s" % key for key, value in annotations.items()
                  if key.startswith("container.apparmor.security.beta.kubernetes.io/")
                  and value != "runtime/default" and not value.startswith("localhost/")]
    return unconfined + list(_of_the_host(pod)) + list(_of_contexts(pod)) + list(_of_containers(pod))
