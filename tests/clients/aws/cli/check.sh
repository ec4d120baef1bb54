#!/bin/bash
# Checks Annals with the AWS CLI. ../checks.txt says what.
set -uo pipefail

machine=arn:aws:states:us-east-1:123456789012:execution:Machine:
all_types=${machine}all_types

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

# fails NAME MESSAGE ARN OPTION…
fails() {
  local status text wanted
  text=$(history "$AWS_ENDPOINT_URL" "${@:3}" 2>&1)
  status=$?
  wanted="An error occurred ($1) when calling the GetExecutionHistory operation: $2"
  [[ $status == 254 && ${text#$'\n'} == "$wanted" ]] || { echo "$status: $text"; return 1; }
}

read -r version python _ < <(aws --version)
echo "version AWS CLI ${version#*/}, Python ${python#*/}"
check history same "$all_types"
for size in 1 7 1000; do
  check "forward_$size" same "$all_types" --page-size "$size"
  check "reverse_$size" same "$all_types" --page-size "$size" --reverse-order
done
check thousand_events same "${machine}thousand_events"
check without_data same "$all_types" --no-include-execution-data
check execution_does_not_exist fails ExecutionDoesNotExist \
  "Execution Does Not Exist: '${machine}nobody'" "${machine}nobody"
check invalid_arn fails InvalidArn "Invalid Arn: 'Invalid ARN prefix: hello'" hello
check invalid_token fails InvalidToken "Invalid Token: 'Invalid token'" \
  "$all_types" --no-paginate --next-token x
check validation fails ValidationException "1 validation error detected: Value '1001' at \
'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000" \
  "$all_types" --page-size 1001
