#!/bin/bash
# Installs what the clients of AWS and the examples of gRPC clients need, and runs them against
# annalsd. Apart from tests/run.sh, as it downloads packages.
#
# Usage: tests/clients/run.sh [CLIENT…]
# All clients, if none is named. The last line is "N passed, N failed"; skipped checks are counted on
# the line before. Downloads are kept in ${XDG_CACHE_HOME:-~/.cache}/annals-clients.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export HOME="${HOME:-$(getent passwd "$EUID" | cut -d: -f6)}"
options=(--config=release --color=no --curses=no --noshow_progress)
if ! deploy/packages.sh build run test clients python ||
  ! bazel build "${options[@]}" --show_result=0 //client:annals //proto:annals_v1_pb2 \
    //proto:google_rpc_pb2 //server:annalsd //tests/bench:grpc_echo; then
  echo "0 passed, 1 failed"
  exit 1
fi

bin=$(bazel info "${options[@]}" bazel-bin 2>/dev/null)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ANNALS="$bin/client/annals" ANNALSD="$bin/server/annalsd" \
  GRPC_ECHO="$bin/tests/bench/grpc_echo" PYTHONPATH=".:$bin/proto" TEST_TMPDIR=$dir \
  /usr/bin/python3 tests/clients/runner.py "$@"
