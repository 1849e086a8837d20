#!/bin/sh
# Runs faults by their names in docs/RELIABILITY.md, also those that take long, or all of them; each leaves a line of JSON.
# usage: scripts/fault.sh [F7…]
set -eu
cd "$(dirname "$0")/.."

tests=
several=
[ $# -gt 0 ] || several=yes
for fault; do
  # Several servers are tested where media is.
  case $fault in [Ff]24) several=yes; continue;; esac
  # F7 is f07_….
  number=${fault#[Ff]}
  test=f$(printf '%02d' "${number#0}")_
  if ! ls tests/faults/"$test"*.rs >/dev/null 2>&1; then
    echo "fault: there is no fault $fault; tests/faults has them" >&2
    exit 1
  fi
  tests="$tests $test"
done

if [ -n "$several" ]; then
  cargo test --workspace --test live -- --nocapture --include-ignored cluster::
  [ -n "$tests" ] || [ $# -eq 0 ] || exit 0
fi
# shellcheck disable=SC2086
exec cargo test --workspace --test faults -- --nocapture --include-ignored --test-threads=1 $tests
