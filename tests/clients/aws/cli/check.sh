#!/bin/bash
# Checks Annals with the AWS CLI. ../checks.txt says what.
set -uo pipefail

execution=arn:aws:states:us-east-1:123456789012:execution
all_types=$execution:Machine:all_types

# check NAME COMMAND…: what the command writes is why it fails.
check() {
  local name=$1 why
  if why=$("${@:2}" 2>&1); then
    echo "ok $name"
  else
    echo "not ok $name: ${why//$'\n'/ }"
  fi
}

# history URL ARN OPTION…
history() {
  aws stepfunctions get-execution-history --endpoint-url "$1" --output json \
    --execution-arn "${@:2}"
}

# same ARN OPTION…: the events are those of the reference.
same() {
  diff <(history "$ANNALS_REFERENCE" "$@") <(history "$AWS_ENDPOINT_URL" "$@" || echo "it failed")
}

# fails NAME ARN OPTION…: the error is that of the reference, and has a name.
fails() {
  local text
  text=$(history "$AWS_ENDPOINT_URL" "${@:2}" 2>&1)
  (($? == 254)) && [[ $text == *"($1)"* ]] || { echo "$text"; return 1; }
  diff <(history "$ANNALS_REFERENCE" "${@:2}" 2>&1) <(echo "$text")
}

# as KEY SECRET TOKEN COMMAND…
as() {
  AWS_ACCESS_KEY_ID=$1 AWS_SECRET_ACCESS_KEY=$2 AWS_SESSION_TOKEN=$3 "${@:4}"
}

read -r version python _ < <(aws --version)
echo "version AWS CLI ${version#*/}, Python ${python#*/}"
check history same "$all_types"
for size in 1 7 1000; do
  check "forward_$size" same "$all_types" --page-size "$size"
  check "reverse_$size" same "$all_types" --page-size "$size" --reverse-order
done
check thousand_events same "$execution:Machine:thousand_events"
check without_data same "$all_types" --no-include-execution-data

check execution_does_not_exist fails ExecutionDoesNotExist "$execution:Machine:nobody"
check invalid_arn fails InvalidArn hello
check invalid_token fails InvalidToken "$all_types" --no-paginate --next-token x
check validation fails ValidationException "$all_types" --page-size 1001

check session_token as ASIACLIENTS temporary token same "$all_types"
check wrong_secret as AKIAWRONG wrong "" fails InvalidSignatureException "$all_types"
check unknown_key as AKIANOBODY secret "" fails UnrecognizedClientException "$all_types"
check denied fails AccessDeniedException "$execution:Other:all_types"
if [[ $(history "$ANNALS_AHEAD" "$all_types" 2>&1) == *"Signature expired"* ]]; then
  echo "skip clock: the CLI never corrects its clock; it was told that the signature is expired"
else
  echo "not ok clock"
fi
AWS_ENDPOINT_URL=$ANNALS_BUSY check throttled same "$all_types" --page-size 20
