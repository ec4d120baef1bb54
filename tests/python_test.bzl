"""Tests written in Python that drive the real programs."""

def python_test(name, data = [], more_env = {}, tags = [], **kwargs):
    """A test in <name>.py, run by Debian's Python.

    Not py_test: its launcher wants a `python` on PATH, which Debian does not have.

    Args:
      name: the test.
      data: what it needs beside the programs and the modules of tests/e2e.
      more_env: variables beside those that all get.
      tags: its tags.
      **kwargs: passed to the sh_test.
    """
    native.sh_test(
        name = name,
        srcs = [name + ".py"],
        data = [
            "//client:annals",
            "//proto:annals_v1_pb2",
            "//proto:google_rpc_pb2",
            "//server:annalsd",
            "//tests:unittest_xml.py",
            "//tests/data:histories",
            "//tests/e2e:harness",
        ] + data,
        env = dict(
            {
                "ANNALS": "$(rootpath //client:annals)",
                "ANNALSD": "$(rootpath //server:annalsd)",
                "ANNALS_HISTORIES": "tests/data/histories",
                "PYTHONPATH": ".:proto",
            },
            **more_env
        ),
        tags = tags + ["block-network"],
        **kwargs
    )
