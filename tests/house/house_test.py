#!/usr/bin/python3
"""The rules of the house that a program can check: walls, sizes, formatting."""

import ast
import os
import re
import shutil
import subprocess
import unittest

from tests import unittest_xml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
FOLDERS = (".ci", "bazel", "client", "deploy", "proto", "server", "storage", "tests")
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
HEADER_LINES_MAX = 200
SOURCES = (".bzl", ".c", ".cc", ".def", ".go", ".h", ".java", ".js", ".proto", ".py", ".rs", ".sh",
           "BUILD", "run")

# What the builds of the examples leave behind.
OUTPUT = re.compile(r"/client/examples/\w+/(build|node_modules|target|v1|venv)(/|$)")

# Who may include a library, by prefix of what stands in <…>.
LIBRARIES = {
    "grpc/": ("server/rpc/", "client/"),
    "rocksdb/": ("storage/rocksdb/",),
    "microhttpd.h": ("server/gateway/", "server/ops/"),
    "jansson.h": ("server/gateway/", "server/kms/", "client/"),
    "openssl/": ("server/history/", "server/gateway/", "server/kms/", "server/ops/", "client/"),
    "gnutls/": ("server/gateway/",),
    "curl/": ("server/kms/", "server/otlp/"),
    "systemd/": ("server/notify.c",),
}

# What a folder may include of ours: the longest prefix that a file has counts. Every arrow points
# down, and nobody but main's folder and commands that need no server
# know the engine.
FLOORS = {
    "proto/": ("proto/", "annals/v1/"),
    "storage/": ("storage/",),
    "server/ops/": ("server/ops/", "proto/"),
    "server/kms/": ("server/kms/",),
    "server/history/": ("server/history/", "server/kms/", "proto/", "storage/", "annals/"),
    "server/otlp/": ("server/otlp/", "server/ops/", "opentelemetry/"),
    "client/": ("client/", "proto/", "annals/v1/", "google/"),
    "client/offline/": ("client/", "server/history/", "server/kms/", "proto/", "storage/"),
    "server/rpc/": ("server/rpc/", "server/history/", "server/ops/", "proto/", "storage/", "google/",
                    "annals/v1/"),
    "server/gateway/": ("server/gateway/", "server/history/", "server/ops/", "proto/", "storage/"),
    "server/": ("server/", "proto/", "storage/"),
}
ENGINE = "storage/rocksdb/"

INCLUDE = re.compile(r'^#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def find_files():
    for folder in FOLDERS:
        for path, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in names:
                if name.endswith(SOURCES) and not OUTPUT.search(path):
                    yield os.path.relpath(os.path.join(path, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def c_functions(lines):
    """Names and lengths: from the line after what came before, to the brace in the first column."""
    begin = None
    for number, line in enumerate(lines):
        if line.startswith("}"):
            if line.rstrip() == "}" and begin is not None:
                yield lines[begin].strip(), number - begin + 1
            begin = None
        elif line.startswith(("#", "//", "/*", " *", "extern", "namespace")) or not line.strip():
            if begin is not None and not any(l.rstrip().endswith("{") for l in lines[begin:number]):
                begin = None
        elif line.rstrip().endswith(";") and not line.startswith((" ", "\t")):
            begin = None
        elif begin is None and not line.startswith((" ", "\t")):
            begin = number


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.end_lineno - node.lineno + 1


def shell_functions(lines):
    begin = None
    for number, line in enumerate(lines):
        if re.match(r"^\w+\(\) \{", line):
            begin = number
        elif line.startswith("}") and begin is not None:
            yield lines[begin], number - begin + 1
            begin = None


def functions(path):
    text = read(path)
    if path.endswith((".c", ".cc", ".h")):
        return c_functions(text.splitlines())
    if path.endswith(".py"):
        return python_functions(text)
    if path.endswith((".sh", "run")):
        return shell_functions(text.splitlines())
    return ()


class HouseTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.files = sorted(find_files())
        self.assertGreater(len(self.files), 100)

    def test_walls_of_libraries(self):
        wrong = []
        for path in self.files:
            if path.endswith((".c", ".h")) and not path.startswith("tests/"):
                for kind, name in INCLUDE.findall(read(path)):
                    for library, folders in LIBRARIES.items():
                        if kind == "<" and name.startswith(library) and not path.startswith(folders):
                            wrong.append("%s includes <%s>" % (path, name))
        self.assertEqual(wrong, [])

    def test_floors(self):
        wrong = []
        for path in self.files:
            floor = max((f for f in FLOORS if path.startswith(f)), key=len, default=None)
            if floor is None or not path.endswith((".c", ".h")):
                continue
            for kind, name in INCLUDE.findall(read(path)):
                if kind == '"' and not (name.startswith(FLOORS[floor]) and (
                        not name.startswith(ENGINE) or floor in ("server/", "client/offline/")
                        or path.startswith(ENGINE))):
                    wrong.append('%s includes "%s"' % (path, name))
        self.assertEqual(wrong, [])

    def test_functions_are_found(self):
        names = [name for name, _ in functions("server/main.c")]
        self.assertTrue(any(name.startswith("int main(") for name in names), names)

    def test_secret_members_are_those_of_the_model(self):
        path = os.path.join(ROOT, "..", "shared", "guides", "AWS_MODEL.md")
        if not os.path.exists(path):
            self.skipTest("the guides are not here")
        with open(path, encoding="utf-8") as f:
            model = f.read()
        wanted = {("StateExitedEventDetails", "assigned_variables")}  # its values are in a shape
        for message, members in re.findall(r"^\| \w+EventDetails\b[^|]*\| (\w+) \| (.*) \|$", model,
                                           re.M):
            for member in re.findall(r"(\w+)\*?: \w+ \([^)]*sensitive=True\)", members):
                wanted.add((message, re.sub(r"(?=[A-Z])", "_", member).lower()))
        found = re.findall(r"^ANNALS_EVENT_MEMBER\((\w+), (\w+), .*, SECRET(?:_DATA)?\)$",
                           read("proto/event_members.def"), re.M)
        self.assertGreater(len(found), 40)
        self.assertEqual(set(found), wanted)

    def test_length_of_functions(self):
        self.assertEqual([], [
            "%s: %s has %d lines" % (path, name, lines)
            for path in self.files for name, lines in functions(path) if lines > FUNCTION_LINES_MAX])

    def test_length_of_files(self):
        wrong = []
        for path in self.files:
            lines = read(path).count("\n")
            limit = HEADER_LINES_MAX if path.endswith(".h") else FILE_LINES_MAX
            if lines > limit:
                wrong.append("%s has %d lines" % (path, lines))
        self.assertEqual(wrong, [])

    @unittest.skipUnless(shutil.which("clang-format-14"), "clang-format-14 is not installed")
    def test_clang_format(self):
        files = [p for p in self.files if p.endswith((".c", ".cc", ".h"))]
        done = subprocess.run(["clang-format-14", "--dry-run", *files], cwd=ROOT, text=True,
                              capture_output=True, check=True)
        self.assertEqual(sorted({line.partition(":")[0] for line in done.stderr.splitlines()
                                 if "clang-format-violations" in line}), [])


if __name__ == "__main__":
    unittest_xml.main()
