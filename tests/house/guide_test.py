#!/usr/bin/python3
"""What the operator's guide repeats from the code stands there as the code has it."""

import glob
import os
import re
import unittest

from tests import unittest_xml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
STRING = r'"((?:[^"\\]|\\.)*)"'
OPTION = re.compile(r"ANNALS_OPTION\(\w+,\s*%s,\s*(\w+),\s*%s,\s*(NULL|%s),\s*((?:%s\s*)+)\)" % (
    STRING, STRING, STRING, STRING))
LOG_CALL = re.compile(r"annals_log_(info|warning|error|write)\(([^;]*);", re.S)
# Whose messages are put together, or chosen: what they can be, from the file itself.
CHOSEN = {
    "server/reload.c": re.compile(r'g_strconcat\(source->what, "([^"]+)"'),
    "server/trust.c": re.compile(r'[?:] "(the certificate [^"]+)"'),
}
# They pass on what others say.
PASSED_ON = {"server/ops/log.c", "server/ops/call_log.c"}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def option_rows():
    table = read("server/option.def")
    found = OPTION.findall(table)
    assert len(found) == table.count("ANNALS_OPTION(") - 1, "an option is not understood"
    for name, _, default, argument, argument_text, help_texts, _ in found:
        help_text = "".join(re.findall(STRING, help_texts)).replace("|", "\\|")
        yield "| `--%s%s` | %s | %s |" % (
            name, "" if argument == "NULL" else "=" + argument_text,
            "`%s`" % default if default else "–", help_text)


def messages():
    """Each file, level and messages that it logs, but for those of debug. Level "write" is any."""
    for path in glob.glob(ROOT + "/server/**/*.c", recursive=True) + glob.glob(
            ROOT + "/storage/**/*.c", recursive=True):
        path = os.path.relpath(path, ROOT)
        text = read(path)
        for level, arguments in LOG_CALL.findall(text):
            head = arguments.partition("ANNALS_LOG_TEXT(")[0].partition("ANNALS_LOG_NUMBER(")[0]
            literals = re.findall(STRING, head)
            if not literals and path in CHOSEN:
                level, literals = "write", CHOSEN[path].findall(text)
            if path not in PASSED_ON:
                yield path, level, literals
        for literal in re.findall(r"g_warning\(" + STRING, text):
            yield path, "warning", [literal.partition("%")[0].rstrip(": ")]
        if path == "server/ops/call_log.c":
            yield path, "write", re.findall(r'write_line\(\w+, [^,"]+, "([^"]+)"', text)


class GuideTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.guide = read("deploy/README.md")

    def test_options(self):
        rows = "\n".join(option_rows())
        self.assertIn("|---|---|---|\n" + rows + "\n\n", self.guide, "it should be:\n" + rows)

    def test_log_lines(self):
        section = self.guide.partition("\n## Log lines\n")[2].partition("\n## ")[0]
        table = {text: level for text, level in re.findall(r"^\| `([^`]+)`[^|]*\| ([^|]+) \|", section,
                                                           re.M)}
        found = set()
        for path, level, literals in messages():
            self.assertNotEqual(literals, [], "what does %s log?" % path)
            for text in map(str.strip, literals):
                self.assertIn(text, table, path)
                self.assertIn("" if level == "write" else level, table[text], text)
                found.add(text)
        self.assertEqual(set(table), found)

    def test_links(self):
        anchors = {re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
                   for line in self.guide.splitlines() if line.startswith("#")}
        for path, anchor in re.findall(r"\]\(([^)#:]*)#?([^)]*)\)", self.guide):
            if path:
                self.assertTrue(os.path.exists(os.path.join(ROOT, "deploy", path)), path)
            else:
                self.assertIn(anchor, anchors)


if __name__ == "__main__":
    unittest_xml.main()
