#!/bin/bash
# Measures pages of 100 events over gRPC and HTTP against bare servers that answer with the same
# number of bytes from memory. Server and load have one processor each; baseline and subject take
# turns in the same run.
#
# Usage: tests/bench/run.sh [ROUNDS [SECONDS]]
# Prints a line for each round, and at the end for each figure `ratio NAME MEDIAN MIN MAX`.
# Needs wrk for HTTP, and two processors.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5}
seconds=${2:-3}
arn=arn:aws:states:us-east-1:123456789012:execution:bench:one
method=/annals.v1.HistoryService/GetExecutionHistory

bazel build --config=release --show_result=0 --noshow_progress \
  //server:annalsd //client:annals //tests/bench:all
bin=$(bazel info --config=release bazel-bin 2>/dev/null)
work=$(mktemp -d)
pids=()
finish() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}"
  wait
  rm -rf "$work"
}
trap finish EXIT

# start NAME COMMAND…: runs a server on processor 0 and waits for its ready line, in $work/NAME.
start() {
  local name=$1
  shift
  mkfifo "$work/$name.pipe"
  taskset -c 0 "$@" >"$work/$name.pipe" 2>"$work/$name.log" &
  pids+=($!)
  read -r line <"$work/$name.pipe"
  echo "$line" >"$work/$name"
}
# address NAME KEY
address() {
  sed "s/.* $2=\([^ ]*\).*/\1/" "$work/$1"
}

python3 - "$work" "$arn" <<'END'
import json
import sys

work, arn = sys.argv[1:]
events = [{"timestamp": 1700000000.0, "type": "ExecutionStarted", "id": 1, "previousEventId": 0,
           "executionStartedEventDetails": {"input": "{}"}}]
for i in range(2, 101):
    details = {"name": "State%d" % (i % 7), "input": json.dumps({"order": i, "note": "x" * 170})}
    events.append({"timestamp": 1700000000 + i / 8, "type": "PassStateEntered", "id": i, "previousEventId": i - 1,
                   "stateEnteredEventDetails": details})
json.dump({"events": events}, open(work + "/history.json", "w"))
request = b"\x0a" + bytes([len(arn)]) + arn.encode()
open(work + "/requests.bin", "wb").write(len(request).to_bytes(4, "big") + request)
open(work + "/request.lua", "w").write(
    'wrk.method = "POST"\nwrk.body = \'{"executionArn":"%s"}\'\n'
    'wrk.headers["X-Amz-Target"] = "AWSStepFunctions.GetExecutionHistory"\n'
    'wrk.headers["Content-Type"] = "application/x-amz-json-1.0"\n' % arn)
END

start annalsd "$bin/server/annalsd" --data-dir "$work/data" --log-level error \
  --grpc-listen 127.0.0.1:0 --gateway-listen 127.0.0.1:0 --ops-listen 127.0.0.1:0
"$bin/client/annals" import --endpoint "$(address annalsd grpc)" --execution-arn "$arn" "$work/history.json"

load() { # load ADDRESS IN_FLIGHT SECONDS -> calls per second
  taskset -c 1 "$bin/tests/bench/grpc_load" "$1" "$method" "$work/requests.bin" "$2" "$3" |
    tee "$work/load" | sed 's/.*calls_per_second=\([0-9]*\).*/\1/'
}
wrk_load() { # wrk_load ADDRESS -> requests per second
  taskset -c 1 wrk -t1 -c64 -d"${seconds}s" -s "$work/request.lua" "http://$1/" |
    sed -n 's/^Requests\/sec: *\([0-9]*\).*/\1/p'
}
load "$(address annalsd grpc)" 64 0.5 >/dev/null
start grpc_echo "$bin/tests/bench/grpc_echo" "$(sed 's/.*reply_bytes=//' "$work/load")"
json_bytes=$(curl -s -o /dev/null -w '%{size_download}' -X POST "http://$(address annalsd gateway)/" \
  -H 'X-Amz-Target: AWSStepFunctions.GetExecutionHistory' -H 'Content-Type: application/x-amz-json-1.0' \
  -d "{\"executionArn\":\"$arn\"}")
start http_echo "$bin/tests/bench/http_echo" "$json_bytes"
echo "reply bytes: gRPC $(sed 's/.*reply_bytes=//' "$work/load"), HTTP $json_bytes"

measure() { # measure NAME BASELINE SUBJECT
  echo "$1 baseline $2 subject $3 a second"
  echo "$1 $2 $3" >>"$work/figures"
}
for ((round = 1; round <= rounds; round++)); do
  for in_flight in 64 8 1; do
    measure "grpc_page100_c$in_flight" "$(load "$(address grpc_echo grpc)" "$in_flight" "$seconds")" \
      "$(load "$(address annalsd grpc)" "$in_flight" "$seconds")"
  done
  if command -v wrk >/dev/null; then
    measure gateway_page100 "$(wrk_load "$(address http_echo http)")" "$(wrk_load "$(address annalsd gateway)")"
  fi
done
python3 - "$work/figures" <<'END'
import collections
import statistics
import sys

ratios = collections.defaultdict(list)
for line in open(sys.argv[1]):
    name, baseline, subject = line.split()
    ratios[name].append(float(subject) / float(baseline))
for name, values in ratios.items():
    print("ratio %s %.2f %.2f %.2f" % (name, statistics.median(values), min(values), max(values)))
END
