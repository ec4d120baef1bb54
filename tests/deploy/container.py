"""Runs containers of the image as a container runtime does: from what an OCI configuration says.

crun is the runtime. All containers share the network of the tests, in which there is nothing else.
"""

import json
import os
import signal
import subprocess
import tempfile

from tests.e2e import annalsd

ROOTFS = os.environ.get("ANNALS_IMAGE_ROOTFS", "")
CONFIG = os.environ.get("ANNALS_IMAGE_CONFIG", "")
PROBLEM = os.environ.get("ANNALS_IMAGE_PROBLEM", "")  # why there is none
# What Kubernetes' and other runtimes' default profile is made of: package
# golang-github-containers-common.
SECCOMP = "/usr/share/containers/seccomp.json"
ARCHITECTURE = "amd64"
USER = 10001
MEMLOCK = 64 << 10  # the kernel's own default, until Linux 5.16
CRUN = ["crun", "--root", os.path.join(os.environ.get("TEST_TMPDIR", "/tmp"), "crun"),
        "--cgroup-manager=disabled"]


def image_config():
    """Entrypoint, Env, User and so on, as an image has them."""
    with open(CONFIG, encoding="utf-8") as f:
        return json.load(f)


def default_seccomp():
    """The default profile for a container without capabilities, as the runtime wants it."""
    with open(SECCOMP, encoding="utf-8") as f:
        profile = json.load(f)
    rules = []
    for rule in profile["syscalls"]:
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        if includes.get("caps") or ARCHITECTURE in excludes.get("arches", ()) or (
                includes.get("arches") and ARCHITECTURE not in includes["arches"]):
            continue
        kept = {"names": rule["names"], "action": rule["action"]}
        for key in "args", "errnoRet":
            if rule.get(key):
                kept[key] = rule[key]
        rules.append(kept)
    return {"defaultAction": profile["defaultAction"], "syscalls": rules,
            "defaultErrnoRet": profile["defaultErrnoRet"],
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]}


def bind(source, destination, read_only=False):
    return {"destination": destination, "type": "bind", "source": source,
            "options": ["rbind", "ro" if read_only else "rw"]}


def spec(args, env, mounts, user=USER, group=USER, groups=(), read_only=True, hostname="annals"):
    """A container that may nothing beyond what it needs."""
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": user, "gid": group, "additionalGids": list(groups)},
            "args": list(args),
            "env": list(env),
            "cwd": "/",
            "capabilities": {kind: [] for kind in ("bounding", "effective", "permitted",
                                                   "inheritable", "ambient")},
            "noNewPrivileges": True,
            "rlimits": [{"type": "RLIMIT_MEMLOCK", "soft": MEMLOCK, "hard": MEMLOCK}],
        },
        "root": {"path": ROOTFS, "readonly": read_only},
        "hostname": hostname,
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            *mounts,
        ],
        "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts")],
                  "seccomp": default_seccomp()},
    }


class Container:
    """A running container. Use as a context manager, or stop() it."""

    count = 0

    def __init__(self, oci_spec):
        self.spec = oci_spec
        self.start()

    def start(self):
        Container.count += 1
        self.name = "annals-%d-%d" % (os.getpid(), Container.count)
        bundle = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as f:
            json.dump(self.spec, f)
        self.log_path = os.path.join(bundle, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([*CRUN, "run", "--bundle", bundle, self.name],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=log, text=True)

    def ready(self):
        """Waits for the line that says so."""
        line = self.process.stdout.readline()
        if not line.startswith("annalsd ready "):
            raise AssertionError("%r, and in its log: %s" % (line, self.log()))
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def execute(self, *args):
        """Runs a program inside, as `kubectl exec` and probes do."""
        user = "%(uid)d:%(gid)d" % self.spec["process"]["user"]
        return subprocess.run([*CRUN, "exec", "--user", user, self.name, *args], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=annalsd.WAIT_S)

    def kill(self, number):
        subprocess.run([*CRUN, "kill", self.name, str(int(number))], check=True,
                       timeout=annalsd.WAIT_S)

    def wait(self):
        """Waits until it has ended. Returns its exit status."""
        status = self.process.wait(annalsd.WAIT_S)
        self.process.stdout.close()
        return status

    def stop(self, number=signal.SIGTERM):
        """May be called when it has ended already."""
        if self.process.poll() is None:
            self.kill(number)
        return self.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        status = self.stop()
        if kind is None:
            assert status == 0, "exit status %d: %s" % (status, self.log()[-8000:])


def volume(mode=0o2775, group=USER):
    """A directory as the kubelet prepares a volume for the pod's fsGroup."""
    path = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
    os.mkdir(os.path.join(path, "lost+found"), 0o700)
    os.chown(path, 0, group)
    os.chmod(path, mode)
    return path
