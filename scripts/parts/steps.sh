# shellcheck shell=bash disable=SC2034
# Steps of a test run: each has a name, a time limit and a log; each prints its seconds.
#
# step NAME LIMIT COMMAND... runs the command with its output in $logs/NAME.log. A step that fails or
# runs out of time prints the end of its log and is counted as a failure even when it left no test results.

state=${GRANGE_TEST_STATE:-.build/test-state}
logs=$state/logs
results=$state/results
step_pid=

begin_steps() {
  mkdir -p "$logs" "$results" "$state/pids"
  rm -f "$logs"/* "$results"/*
  trap 'stop_step; exit 130' INT TERM
}

stop_step() {
  [ -z "$step_pid" ] || kill -TERM "$step_pid" 2>/dev/null || true
}

# The whole run ends by $deadline (in $SECONDS), whatever the limits of its steps add up to.
deadline=${deadline:-1000000}

step() {
  local name=$1 limit=$2 began=$SECONDS code=0 left=$((deadline - SECONDS))
  shift 2
  [ "$left" -gt 5 ] || left=5
  [ "$limit" -le "$left" ] || limit=$left
  timeout --kill-after=15 "$limit" "$@" > "$logs/$name.log" 2>&1 < /dev/null &
  step_pid=$!
  wait "$step_pid" || code=$?
  step_pid=
  local seconds=$((SECONDS - began))
  if [ "$code" = 0 ]; then
    printf '%-16s %5d s  ok\n' "$name" "$seconds"
    return 0
  fi
  if [ "$code" = 124 ] || [ "$code" = 137 ]; then
    printf '%-16s %5d s  stopped at its limit of %d s\n' "$name" "$seconds" "$limit"
  else
    printf '%-16s %5d s  failed (%d)\n' "$name" "$seconds" "$code"
  fi
  echo "$name" >> "$results/failed-steps"
  tail -n "${GRANGE_TEST_LOG_LINES:-40}" "$logs/$name.log" | cut -c1-2000
  return 1
}
