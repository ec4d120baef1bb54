"""Compiler flags for this project's own code."""

_WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wundef",
    "-Wvla",
    "-Wformat=2",
    "-Wpointer-arith",
]

COPTS = _WARNINGS + [
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
]

CXX_COPTS = _WARNINGS
