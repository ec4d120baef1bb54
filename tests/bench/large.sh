#!/bin/bash
# Fills a large database and measures what must not follow its size: opening it, memory, pages. And
# what does: bytes on disk for an event, and bytes written for a byte of events.
#
# Usage: tests/bench/large.sh [EXECUTIONS [EVENTS [DIR [ANNALSD-OPTION…]]]]
# 2,000,000 executions of 10 events each take 10 GB below DIR (/tmp) and about 20
# minutes on two shared processors. Prints a line for each figure; pages are compared in 7 rounds
# that alternate, of 1,000 executions in a database of 1,000 and in the large one, both warm, on one
# processor: `ratio large_page MEDIAN MIN MAX`, pages a second of the large by the small.
set -euo pipefail
cd "$(dirname "$0")/../.."
executions=${1:-2000000}
events=${2:-10}
work=$(mktemp -d "${3:-${TMPDIR:-/tmp}}/annals.XXXXXX")
options=("${@:4}")
hot=1000
rounds=7

bazel build --config=release --show_result=0 --noshow_progress \
  //server:annalsd //tests/bench:execution_load //tests/bench:grpc_load
bin=$(bazel info --config=release bazel-bin 2>/dev/null)
pids=()
finish() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null
  wait
  rm -rf "$work"
}
trap finish EXIT

load() { # load NAME COUNT [FIRST]
  "$bin/tests/bench/execution_load" "$work/$1" "$2" "$events" "${3:-0}" "${options[@]}"
}
serve() { # serve NAME: starts a server, and prints how long it took to be ready
  local begin
  rm -f "$work/$1.pipe"
  mkfifo "$work/$1.pipe"
  begin=$(date +%s%N)
  taskset -c 0 "$bin/server/annalsd" --data-dir "$work/$1" --log-level error --grpc-listen 127.0.0.1:0 \
    --gateway-listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 "${options[@]}" >"$work/$1.pipe" &
  pids+=($!)
  read -r line <"$work/$1.pipe"
  echo "$1: ready after $((($(date +%s%N) - begin) / 1000000)) ms"
  sed 's/.* grpc=\([^ ]*\).*/\1/' <<<"$line" >"$work/$1.address"
}
stop() {
  kill "${pids[@]}"
  wait "${pids[@]}" || true
  pids=()
}
pages() { # pages NAME SECONDS -> pages a second
  taskset -c 1 "$bin/tests/bench/grpc_load" "$(cat "$work/$1.address")" \
    /annals.v1.HistoryService/GetExecutionHistory "$work/$1.requests" 64 "$2" |
    sed 's/.*calls_per_second=\([0-9]*\).*/\1/'
}
rss() {
  awk '/^Vm(RSS|HWM)/ { printf "%s %d MiB ", $1, $2 / 1024 }' "/proc/$1/status"
}
requests() { # requests NAME STEP: of the hot executions, spread over all
  python3 - "$work/$1.requests" "$hot" "$2" <<'END'
import sys

path, count, step = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(path, "wb") as f:
    for i in range(count):
        arn = b"arn:aws:states:us-east-1:123456789012:execution:bench:%d" % (i * step)
        request = b"\x0a" + bytes([len(arn)]) + arn
        f.write(len(request).to_bytes(4, "big") + request)
END
}

echo "small: $(load small "$hot")"
figures=$(load large "$executions")
echo "large: $figures"
bytes=$(du -sb "$work/large" | cut -f1)
awk -v bytes="$bytes" -F'[= ]' '{ printf "large: %d bytes on disk, %.0f for an event of %.0f; %.2f bytes written for one of events\n",
  bytes, bytes / $2, $4 / $2, $6 / $4 }' <<<"$figures"

serve large
stop
"$bin/tests/bench/execution_load" "$work/large" "$executions" "$events" "$executions" "${options[@]}" &
killed=$!
sleep 20
kill -9 "$killed"
wait "$killed" 2>/dev/null || true
echo "killed with $(du -cb "$work"/large/rocksdb/*.log | tail -n 1 | cut -f1) bytes of log"
serve large
serve small
requests large $((executions / hot))
requests small 1
pages large 3 >/dev/null
pages small 3 >/dev/null
for ((round = 1; round <= rounds; round++)); do
  a=$(pages small 2)
  b=$(pages large 2)
  echo "pages a second: $a small, $b large"
  echo "$a $b" >>"$work/figures"
done
echo "large, serving pages: $(rss "${pids[0]}")"
awk '{ print $2 / $1 }' "$work/figures" | sort -n |
  awk '{ r[NR] = $1 } END { printf "ratio large_page %.2f %.2f %.2f\n", r[int((NR + 1) / 2)], r[1], r[NR] }'
