#!/bin/bash
# From a bare Debian 12 to a server that answers: installs what is missing, builds, starts annalsd
# with two histories in it, shows them, and stays up until Ctrl-C.
#
# Usage: deploy/quickstart.sh [--once] [ANNALSD-OPTION…]
#   --once  stop after showing
# Other options go to annalsd, such as --grpc-listen, --gateway-listen and --ops-listen HOST:PORT.
# All is kept in $ANNALS_QUICKSTART_DIR, by default ~/.local/share/annals-quickstart: delete it to
# begin anew.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
arn_prefix=arn:aws:states:us-east-1:123456789012:execution
histories=("$arn_prefix:HelloWorld:sample" "$arn_prefix:OrderFulfilment:order-4711")
files=(hello_world.json order_fulfilment.json)
machine=arn:aws:states:us-east-1:123456789012:stateMachine:HelloWorld

die() {
  echo "deploy/quickstart.sh: $*" >&2
  exit 1
}

usage() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
}

say() {
  printf '\n== %s\n' "$*"
}

build() {
  say "Packages"
  "$root/deploy/packages.sh" build run
  echo "all there"
  say "Build"
  (cd "$root" && bazel build --config=release --color=no --curses=no --show_result=0 \
    --noshow_progress //server:annalsd //client:annals)
  mkdir -p "$dir/bin"
  # A running program's file is replaced, not written into.
  install -t "$dir/bin" "$root/bazel-bin/server/annalsd" "$root/bazel-bin/client/annals"
  echo "$dir/bin/annalsd, $dir/bin/annals"
}

# Starts annalsd and takes its addresses from the line that says it is ready.
start() {
  local line word
  say "Start"
  : >"$dir/annalsd.log"
  exec {output}< <(exec "$dir/bin/annalsd" --data-dir "$dir/data" "$@" 2>"$dir/annalsd.log")
  server=$!
  trap stop EXIT
  trap 'exit 0' INT TERM HUP
  if ! read -r line <&"$output"; then
    trap - EXIT
    cat "$dir/annalsd.log" >&2
    die "annalsd did not start (log: $dir/annalsd.log)"
  fi
  echo "$line"
  for word in $line; do
    case $word in
      grpc=*) grpc=${word#*=} ;;
      gateway=*) gateway=${word#*=} ;;
    esac
  done
}

stop() {
  trap '' INT TERM HUP
  trap - EXIT
  kill -TERM "$server" 2>/dev/null || true
  wait "$server" || die "annalsd stopped with status $? (log: $dir/annalsd.log)"
  echo "annalsd has stopped"
}

annals() {
  "$dir/bin/annals" --endpoint "$grpc" "$@"
}

import() {
  local i
  say "Import"
  for i in "${!histories[@]}"; do
    annals import --execution-arn "${histories[i]}" "$root/tests/data/histories/${files[i]}"
  done
}

# The gateway as AWS's clients call it.
post() {
  curl --silent --show-error --fail-with-body --noproxy '*' "http://$gateway/" \
    --header 'Content-Type: application/x-amz-json-1.0' \
    --header 'X-Amz-Target: AWSStepFunctions.GetExecutionHistory' --data "$1"
  echo
}

show() {
  local arn
  for arn in "${histories[@]}"; do
    say "annals history --output table $arn"
    annals history --output table "$arn"
  done
  say "annals history ${histories[0]}"
  annals history "${histories[0]}"
  say "annals list --output table $machine"
  annals list --output table "$machine"
  say "curl, ${histories[0]}"
  post "{\"executionArn\":\"${histories[0]}\"}"
  say "curl, the last 3 events of ${histories[1]}"
  post "{\"executionArn\":\"${histories[1]}\",\"reverseOrder\":true,\"maxResults\":3}"
}

explain() {
  say "Annals is up: gRPC on $grpc, AWS JSON on http://$gateway"
  cat <<END
Query it from another terminal:

  $dir/bin/annals --endpoint $grpc history --output table ${histories[1]}

  AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_PAGER= aws stepfunctions get-execution-history \\
    --region us-east-1 --endpoint-url http://$gateway --execution-arn ${histories[0]}

  curl http://$gateway/ -H 'Content-Type: application/x-amz-json-1.0' \\
    -H 'X-Amz-Target: AWSStepFunctions.GetExecutionHistory' \\
    -d '{"executionArn":"${histories[0]}"}'

Its data is in $dir/data, its log is $dir/annalsd.log. Ctrl-C stops it.
END
}

once=
options=()
for option; do
  case $option in
    --once) once=1 ;;
    -h | --help) usage; exit 0 ;;
    *) options+=("$option") ;;
  esac
done
export HOME="${HOME:-$(getent passwd "$EUID" | cut -d: -f6)}"
dir=${ANNALS_QUICKSTART_DIR:-$HOME/.local/share/annals-quickstart}
mkdir -p "$dir" || die "cannot make $dir: set ANNALS_QUICKSTART_DIR to a directory of yours"

build
start "${options[@]}"
import
show
if [[ ! $once ]]; then
  explain
  wait "$server"
fi
