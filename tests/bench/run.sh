#!/bin/bash
# Measures what Annals serves against bare programs that do as little as can be done, which take
# turns with it in the same run; installs what that needs, and builds with release settings.
#
# Usage: tests/bench/run.sh [OPTION…]
# Options are those of bench.py, which --help tells: --quick for a first look, --only NAME for some
# of the figures, --rounds N, --seconds S, --out DIR. With all figures it takes about half an hour
# and 6 GB of disk below $TMPDIR (/tmp).
# Prints a line for each round, a table, and for each figure `ratio NAME MEDIAN MIN MAX`; writes
# the same as JSON and plots to DIR (bench-results).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
deploy/packages.sh build run bench
bazel build --config=release --show_result=0 --noshow_progress \
  //server:annalsd //client:annals //tests/bench:all
exec /usr/bin/python3 tests/bench/bench.py \
  --bin "$(bazel info --config=release bazel-bin 2>/dev/null)" "$@"
