#!/bin/sh
# Holds a running server against its own description: schemathesis sends what the description allows and
# what it does not, and fails on any 5xx, any status that is not in it, any body that is not as it says.
# usage: scripts/contract.sh [SECONDS for each of the two who ask]
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-35}
program=target/debug/tallylight
[ -x "$program" ] || { echo "contract: run 'cargo build --workspace' first" >&2; exit 1; }
folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
base=http://127.0.0.1:$port
server=
trap 'status=$?; [ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"; exit $status' EXIT INT TERM

tally() {
  "$program" --data "$folder/data" --log warn "$@"
}

echo correct-horse | tally account create ada --admin --password-stdin
echo correct-horse | tally account create vic --role viewer --password-stdin
tally channel create ada --owner ada
tally stream-key new ada >/dev/null
# Not by tally(), whose shell would be the one that is ended.
TALLYLIGHT_LIMITS_LOOPBACK_FACTOR=100000 "$program" --data "$folder/data" --log warn serve --http "127.0.0.1:$port" --admin-listen off --rtmp off \
  --media-port 0 >"$folder/log" 2>&1 &
server=$!

tries=0
until curl -fsS -o /dev/null "$base/readyz" 2>/dev/null; do
  tries=$((tries + 1))
  [ $tries -lt 100 ] || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done

# login NAME: the cookie.
login() {
  curl -fsS -o /dev/null -D - -H "Origin: $base" -H 'Content-Type: application/json' \
    -d "{\"name\":\"$1\",\"password\":\"correct-horse\"}" "$base/api/auth/login" |
    sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\).*/\1/p'
}

# Left out: streams of events, which do not end; what ends or replaces the login that asks; and oEmbed,
# whose specification wants 501 for formats that are not spoken, which counts as a failure of ours here; and SDP, which
# schemathesis cannot write.
ask() {
  cookie=$(login "$1")
  [ -n "$cookie" ] || { echo "contract: $1 cannot log in" >&2; return 1; }
  echo "contract: as $1"
  PYTHONPATH=.tools/schemathesis python3 -m schemathesis.cli run "$base/api/openapi.json" \
    --header "Cookie: $cookie" --header "Origin: $base" \
    --include-path-regex '^/api/' \
    --exclude-path-regex '/events$|^/api/oembed|^/api/admin/connectivity|^/api/session|^/api/auth|^/api/account$|^/api/account/(password|logins)' \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --phases examples,coverage,fuzzing --max-time "$seconds" --seed 1 --workers 1 \
    --request-timeout 10 --continue-on-failure --warnings off --no-color
}

failed=0
ask ada || failed=1
ask vic || failed=1
kill -0 "$server" 2>/dev/null || { echo "contract: the server is gone" >&2; cat "$folder/log" >&2; failed=1; }
exit $failed
