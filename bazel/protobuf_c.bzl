"""Code and descriptor sets from .proto files, with Debian's protoc and protoc-c.

The .proto files of this repository import each other by path from proto/; Google's
well-known types come from the installed protobuf.
"""

load("@rules_cc//cc:defs.bzl", "cc_library")

_SYSTEM = "/usr/include"

def _stem(src):
    if not src.endswith(".proto"):
        fail("not a .proto file: " + src)
    return src[:-len(".proto")]

def c_proto_library(name, srcs, deps = [], root = "", **kwargs):
    """A cc_library of protobuf-c code; include it as "<path>.pb-c.h".

    Also declares <name>_protos: the .proto files, with those they may import.

    Args:
      name: the library.
      srcs: .proto files, by path from this package.
      deps: other c_proto_library targets whose files these import.
      root: where srcs are, if not in this package: a folder of the machine.
      **kwargs: passed to the cc_library.
    """
    native.filegroup(
        name = name + "_protos",
        srcs = ([] if root else srcs) + [d + "_protos" for d in deps],
        visibility = ["//visibility:public"],
    )
    native.genrule(
        name = name + "_pb_c",
        srcs = [name + "_protos"],
        outs = [_stem(s) + e for s in srcs for e in [".pb-c.c", ".pb-c.h"]],
        cmd = "protoc-c -I{package} -I{system} --c_out=$(RULEDIR) {srcs}".format(
            package = root or native.package_name(),
            srcs = " ".join(srcs),
            system = _SYSTEM,
        ),
    )
    cc_library(
        name = name,
        srcs = [_stem(s) + ".pb-c.c" for s in srcs],
        hdrs = [_stem(s) + ".pb-c.h" for s in srcs],
        includes = ["."],
        deps = deps + ["@system//:protobuf_c"],
        **kwargs
    )

def cpp_proto_library(name, proto, srcs, **kwargs):
    """A cc_library of libprotobuf's C++ code; include it as "<path>.pb.h".

    Args:
      name: the library.
      proto: as for py_proto_sources.
      srcs: its .proto files.
      **kwargs: passed to the cc_library.
    """
    native.genrule(
        name = name + "_pb_cc",
        srcs = [proto + "_protos"],
        outs = [_stem(s) + e for s in srcs for e in [".pb.cc", ".pb.h"]],
        cmd = "protoc -I{package} -I{system} --cpp_out=$(RULEDIR) {srcs}".format(
            package = native.package_name(),
            srcs = " ".join(srcs),
            system = _SYSTEM,
        ),
        testonly = kwargs.get("testonly", False),
    )
    cc_library(
        name = name,
        srcs = [_stem(s) + ".pb.cc" for s in srcs],
        hdrs = [_stem(s) + ".pb.h" for s in srcs],
        includes = ["."],
        deps = ["@system//:protobuf"],
        **kwargs
    )

def py_proto_sources(name, proto, srcs, **kwargs):
    """The _pb2.py modules of .proto files, for a script run as a test.

    Args:
      name: the generating rule, to name in the test's data.
      proto: the c_proto_library, or a name to which _protos can be added for a filegroup.
      srcs: its .proto files.
      **kwargs: passed to the genrule.
    """
    native.genrule(
        name = name,
        srcs = [proto + "_protos"],
        outs = [_stem(s) + "_pb2.py" for s in srcs],
        cmd = "protoc -I{package} -I{system} --python_out=$(RULEDIR) {srcs}".format(
            package = native.package_name(),
            srcs = " ".join(srcs),
            system = _SYSTEM,
        ),
        **kwargs
    )

def c_descriptor_set(name, hdr, deps, srcs, **kwargs):
    """A cc_library of the descriptors of .proto files and of all that they import.

    They are an array of bytes, annals_<name>, and its size, annals_<name>_size.

    Args:
      name: the library.
      hdr: the header that declares the two.
      deps: c_proto_library targets, and filegroups named <dep>_protos, whose files these are.
      srcs: .proto files, by path from this package.
      **kwargs: passed to the cc_library.
    """
    native.genrule(
        name = name + "_c",
        srcs = [d + "_protos" for d in deps],
        outs = [name + ".c"],
        cmd = """
            {{
              echo '#include "{package}/{hdr}"'
              echo 'const uint8_t annals_{name}[] = {{'
              protoc -I{package} -I{system} --include_imports --descriptor_set_out=/dev/stdout {srcs} |
                od -An -v -tu1 | sed 's/[0-9][0-9]*/&,/g'
              echo '}};'
              echo 'const size_t annals_{name}_size = sizeof annals_{name};'
            }} >$@
        """.format(
            package = native.package_name(),
            hdr = hdr,
            name = name,
            srcs = " ".join(srcs),
            system = _SYSTEM,
        ),
    )
    cc_library(
        name = name,
        srcs = [name + ".c"],
        hdrs = [hdr],
        **kwargs
    )
