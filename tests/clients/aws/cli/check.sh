#!/bin/bash
# Checks Annals with the AWS CLI. ../checks.txt says what.
set -uo pipefail

execution=arn:aws:states:us-east-1:123456789012:execution
machine=arn:aws:states:us-east-1:123456789012:stateMachine:Machine

# check NAME COMMAND…: what the command writes is why it fails.
check() {
  local name=$1 why
  if why=$("${@:2}" 2>&1); then
    echo "ok $name"
  else
    echo "not ok $name: ${why//$'\n'/ }"
  fi
}

# call URL COMMAND OPTION…
call() {
  aws stepfunctions "$2" --endpoint-url "$1" --output json "${@:3}"
}

# same COMMAND OPTION…: the answer is that of the reference.
same() {
  diff <(call "$ANNALS_REFERENCE" "$@") <(call "$AWS_ENDPOINT_URL" "$@" || echo "it failed")
}

# fails NAME COMMAND OPTION…: the error is that of the reference, and has a name.
fails() {
  local text
  text=$(call "$AWS_ENDPOINT_URL" "${@:2}" 2>&1)
  (($? == 254)) && [[ $text == *"($1)"* ]] || { echo "$text"; return 1; }
  diff <(call "$ANNALS_REFERENCE" "${@:2}" 2>&1) <(echo "$text")
}

# as KEY SECRET TOKEN COMMAND…
as() {
  AWS_ACCESS_KEY_ID=$1 AWS_SECRET_ACCESS_KEY=$2 AWS_SESSION_TOKEN=$3 "${@:4}"
}

describe() {
  local name
  for name in all_types branches order_fulfilment redrive thousand_events; do
    same describe-execution --execution-arn "$execution:Machine:$name" || return
  done
}

# clock COMMAND OPTION…
clock() {
  local text
  text=$(call "$ANNALS_AHEAD" "$@" 2>&1)
  if [[ $text == *"Signature expired"* ]]; then
    echo "skip clock: the CLI never corrects its clock; it was told that the signature is expired"
  else
    echo "not ok clock: $text"
  fi
}

history=(get-execution-history --execution-arn)
all_types=("${history[@]}" "$execution:Machine:all_types")
list=(list-executions --state-machine-arn "$machine" --page-size 2)
read -r version python _ < <(aws --version)
echo "version AWS CLI ${version#*/}, Python ${python#*/}"

check history same "${all_types[@]}"
for size in 1 7 1000; do
  check "forward_$size" same "${all_types[@]}" --page-size "$size"
  check "reverse_$size" same "${all_types[@]}" --page-size "$size" --reverse-order
done
check thousand_events same "${history[@]}" "$execution:Machine:thousand_events"
check without_data same "${all_types[@]}" --no-include-execution-data

check describe describe
check list same "${list[@]}"
check list_failed same "${list[@]}" --status-filter FAILED

nobody=$execution:Machine:nobody
check execution_does_not_exist fails ExecutionDoesNotExist "${history[@]}" "$nobody"
check invalid_arn fails InvalidArn "${history[@]}" hello
check invalid_token fails InvalidToken "${all_types[@]}" --no-paginate --next-token x
check validation fails ValidationException "${all_types[@]}" --page-size 1001
check describe_nobody fails ExecutionDoesNotExist describe-execution --execution-arn "$nobody"

# This CLI is too old for the state of the key.
encrypted=$execution:Encrypted
check kms_access_denied fails KmsAccessDeniedException "${history[@]}" "$encrypted:denied"
check kms_invalid_state fails KmsInvalidStateException "${history[@]}" "$encrypted:disabled"
check kms_throttling fails KmsThrottlingException "${history[@]}" "$encrypted:throttled"

check session_token as ASIACLIENTS temporary token same "${all_types[@]}"
check wrong_secret as AKIAWRONG wrong "" fails InvalidSignatureException "${all_types[@]}"
check unknown_key as AKIANOBODY secret "" fails UnrecognizedClientException "${all_types[@]}"
check denied fails AccessDeniedException "${history[@]}" "$execution:Other:all_types"
clock "${all_types[@]}"
AWS_ENDPOINT_URL=$ANNALS_BUSY check throttled same "${all_types[@]}" --page-size 20
