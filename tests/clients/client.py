"""The clients: what each needs, and how it is fetched, built and run.

Each is copied to a directory of its own outside the tree and worked with there. What has been
fetched and built stays there for the next run.
"""

import dataclasses
import hashlib
import os
import re
import shutil
import subprocess
import sys

from tests.e2e import annalsd, aws

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
FOLDER = os.path.join(ROOT, "tests/clients/aws")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                     "annals-clients")
FETCH_S = 300
BUILD_S = 1800
RUN_S = 1800
OUTPUTS = {"build", "node_modules", "target", "venv"}  # what is not of the tree, if it is there

# What package managers say when they do not get through to a registry, or it will not give a thing.
UNREACHABLE = re.compile(
    r"name resolution|resolve host|name or service not known|no such host|unknown host|ENOTFOUND"
    r"|EAI_AGAIN|connection refused|ECONNREFUSED|connection reset|ECONNRESET|unreachable|timed out"
    r"|ETIMEDOUT|time-?out|deadline exceeded|(could not|failed to|cannot) connect|no route to host"
    r"|TLS handshake|SSL connect|\bEOF\b|premature end|\b(403|429|50[0234])\b", re.I)


class Skip(Exception):
    """The client cannot be tried on this machine, for a reason that is not Annals'."""


class Failure(Exception):
    """The client should have worked, and did not."""


@dataclasses.dataclass(frozen=True)
class Client:
    """A client. Commands are run in its directory."""

    name: str
    folder: str
    program: tuple
    tools: tuple = ()  # programs that it needs; the first one's version counts
    least: tuple = ()  # what that has to be
    version: str = "--version"  # how it says it
    packages: str = ""  # the group in deploy/packages.sh that has the tools, if Debian's will do
    fetch: tuple = ()
    build: tuple = ()
    model: str = ""  # the package of Debian that tells what it knows of the service
    newest: bool = False  # fetches what is the newest, each time, and is quiet about it
    fetch_s: int = FETCH_S

    @property
    def directory(self):
        return os.path.join(CACHE, self.name)

    @property
    def sources(self):
        """What of the tree it is made of, and where copies of that go."""
        return {os.path.join(FOLDER, self.folder): self.directory}

    def prepare(self):
        """Leaves the client ready to run. Returns the environment that it wants."""
        tool, version = self.find_tool()
        env = annalsd.environment(PATH=os.path.dirname(tool) + os.pathsep + os.environ["PATH"])
        state = digest(self.sources, tool, version, self.fetch, self.build)
        stamp = os.path.join(self.directory, ".prepared")
        if self.newest or not os.path.exists(stamp) or read(stamp) != state:
            for source, copy in self.sources.items():
                shutil.copytree(source, copy, dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns(*OUTPUTS))
            self.fetch_packages(env)
            self.execute(self.build, env, BUILD_S)
            with open(stamp, "w", encoding="utf-8") as f:
                f.write(state)
        return env

    def fetch_packages(self, env):
        """Fetches what the client needs: twice, where a registry hiccups."""
        try:
            self.execute(self.fetch, env, self.fetch_s, UNREACHABLE)
        except (Skip, Failure) as problem:
            print("%s: once more, as %s" % (self.name, problem), file=sys.stderr)
            self.execute(self.fetch, env, self.fetch_s, UNREACHABLE)

    def unknown(self, events):
        """Names of members that the client is too old for, and drops."""
        if not self.model:
            return []
        model = aws.Model(self.model)
        return sorted(set().union(*(lost(e, model.prune(e)) for e in events)))

    def find_tool(self):
        """The first tool's path and version: that on PATH if it will do, else Debian's."""
        found = self.search(shutil.which)
        if self.packages and (not found or found[1] < self.least):
            installed = subprocess.run([os.path.join(ROOT, "deploy/packages.sh"), self.packages],
                                       text=True, stderr=subprocess.PIPE)
            if installed.returncode:
                raise Skip(last_line(installed.stderr))
            found = self.search(lambda tool: shutil.which(tool, path="/usr/bin")) or found
        if not found:
            raise Skip("there is no " + " and ".join(self.tools))
        if found[1] < self.least:
            raise Skip("%s %s is older than %s" % (
                self.tools[0], *(".".join(map(str, v)) for v in (found[1], self.least))))
        return found

    def search(self, which):
        """The first tool's path and version, if all are there."""
        paths = [which(tool) for tool in self.tools]
        if not all(paths):
            return None
        said = subprocess.run([paths[0], self.version], capture_output=True, text=True).stdout
        return paths[0], tuple(map(int, re.search(r"\d+(\.\d+)+", said).group().split(".")))

    def run(self, env, places):
        """Runs the program and returns what it printed."""
        return self.execute(self.program, {**env, **aws.ENVIRONMENT, **places}, RUN_S)

    def execute(self, command, env, timeout_s, skip=None):
        """Runs a command that must succeed, but where what it says is a reason to skip."""
        if not command:
            return ""
        try:
            done = subprocess.run(command, cwd=self.directory, env=env, timeout=timeout_s,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
        except subprocess.TimeoutExpired as error:
            raise (Skip if skip else Failure)(error) from None
        said = done.stdout + done.stderr
        # What was not fetched anew may still be there from before.
        if (done.returncode or self.newest) and skip and skip.search(said):
            raise Skip(last_line(said))
        if done.returncode:
            raise Failure("%s: exit status %d\n%s" % (command[0], done.returncode, said[-4000:]))
        return done.stdout


def digest(folders, *more):
    """Changes with the files of folders, and with more."""
    state = hashlib.sha256(repr(more).encode())
    for folder in folders:
        for path, names, files in os.walk(folder):
            names[:] = sorted(set(names) - OUTPUTS)
            for name in sorted(files):
                with open(os.path.join(path, name), "rb") as f:
                    state.update(repr((path, name, f.read())).encode())
    return state.hexdigest()


def lost(whole, rest):
    """The names of members that are not in the rest."""
    if not isinstance(whole, dict):
        return set()
    return (set(whole) - set(rest)).union(*(lost(whole[name], rest[name]) for name in rest))


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def last_line(text):
    return (text.strip().splitlines() or ["it said nothing"])[-1]


CLIENTS = (
    Client("cli", "cli", tools=("/usr/bin/aws",), model="awscli.botocore", program=("./check.sh",)),
    Client("python-debian", "python", tools=("/usr/bin/python3",), model="botocore",
           program=("python3", "check.py")),
    Client("python", "python", newest=True, tools=("/usr/bin/python3",),
           fetch=("sh", "-c", "test -x venv/bin/pip || python3 -m venv venv; "
                              "venv/bin/pip install --quiet --upgrade boto3"),
           program=("venv/bin/python", "check.py")),
    Client("javascript", "javascript", tools=("node", "npm"), least=(18,), packages="javascript",
           fetch=("npm", "ci"), program=("node", "check.js")),
    Client("go", "go", tools=("go",), least=(1, 19), version="version", packages="go",
           fetch=("./go.sh", "mod", "download"), build=("./go.sh", "build", "-o", "check", "."),
           program=("./check",)),
    Client("java", "java", tools=("java", "mvn"), least=(17,), packages="java",
           fetch=("mvn", "--batch-mode", "dependency:build-classpath",
                  "-Dmdep.outputFile=classpath"),
           program=("java", "-cp", "@classpath", "Check.java")),
    Client("rust", "rust", tools=("cargo",), least=(1, 94, 1), packages="rust",
           fetch=("cargo", "fetch", "--locked"), build=("cargo", "build", "--locked", "--offline"),
           program=("target/debug/check",)),
)
