#!/bin/bash
# Measures the first page of ListExecutions, over HTTP and one connection, of a state machine with few
# and with many executions: the page's cost must not follow their number.
#
# Usage: tests/bench/list.sh [FEW [MANY [ROUNDS [SECONDS]]]]
# Prints a line for each round, and at the end `ratio list_first_page MEDIAN MIN MAX`, the time with
# many by the time with few, and the best of each: what else the machine does only slows down. Needs
# wrk.
set -euo pipefail
cd "$(dirname "$0")/../.."
few=${1:-1000}
many=${2:-1000000}
rounds=${3:-15}
seconds=${4:-1}
machine=arn:aws:states:us-east-1:123456789012:stateMachine:bench

bazel build --config=release --show_result=0 --noshow_progress \
  //server:annalsd //tests/bench:execution_load
bin=$(bazel info --config=release bazel-bin 2>/dev/null)
work=$(mktemp -d)
pids=()
finish() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}"
  wait
  rm -rf "$work"
}
trap finish EXIT

cat >"$work/request.lua" <<END
wrk.method = "POST"
wrk.body = '{"stateMachineArn":"$machine"}'
wrk.headers["X-Amz-Target"] = "AWSStepFunctions.ListExecutions"
wrk.headers["Content-Type"] = "application/x-amz-json-1.0"
END

for count in "$few" "$many"; do
  echo "$count executions: $({ TIMEFORMAT=%R; time "$bin/tests/bench/execution_load" "$work/$count" "$count"; } 2>&1) s to load"
  mkfifo "$work/$count.pipe"
  "$bin/server/annalsd" --data-dir "$work/$count" --log-level error --grpc-listen 127.0.0.1:0 \
    --gateway-listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 >"$work/$count.pipe" &
  pids+=($!)
  read -r line <"$work/$count.pipe"
  sed 's/.* gateway=\([^ ]*\).*/\1/' <<<"$line" >"$work/$count.address"
done

pages() { # pages COUNT -> pages per second
  wrk -t1 -c1 -d"${seconds}s" -s "$work/request.lua" "http://$(cat "$work/$1.address")/" |
    sed -n 's/^Requests\/sec: *\([0-9.]*\).*/\1/p'
}
pages "$few" >/dev/null
pages "$many" >/dev/null
for ((round = 1; round <= rounds; round++)); do
  a=$(pages "$few")
  b=$(pages "$many")
  echo "list_first_page $few executions $a, $many executions $b pages a second"
  echo "$a $b" >>"$work/figures"
done
awk '{ a = $1 > a ? $1 : a; b = $2 > b ? $2 : b }
  END { printf "best list_first_page %.0f %.0f a second, ratio %.2f\n", a, b, a / b }' "$work/figures"
awk '{ print $1 / $2 }' "$work/figures" | sort -n |
  awk '{ r[NR] = $1 } END { printf "ratio list_first_page %.2f %.2f %.2f\n", r[int((NR + 1) / 2)], r[1], r[NR] }'
