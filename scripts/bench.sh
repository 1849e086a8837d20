#!/bin/sh
# The benchmarks of docs/BENCHMARKS.md, on a server of their own; writes the table there.
# usage: scripts/bench.sh [--seconds N] [--viewers "N N …"] [--webrtc-only] [--rival NAME WHIP WHEP PID]…
#
# A rival runs already, on this machine, and is published to and watched at those addresses; PID may
# be several with commas. RIVAL_KEY is sent to rivals as bearer token. TALLYLIGHT_BIN is measured
# instead of a build of this source.
set -eu
cd "$(dirname "$0")/.."

seconds=10
counts="1 50 100 200 400"
webrtc_only=
data=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$data"
}
trap stop EXIT
trap 'exit 1' INT TERM

usage() {
  sed -n '3p' "$0" | cut -c 3- >&2
  exit 2
}
: >"$data/rivals"
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) [ $# -ge 2 ] || usage; seconds=$2; shift 2 ;;
    --viewers) [ $# -ge 2 ] || usage; counts=$2; shift 2 ;;
    --webrtc-only) webrtc_only=yes; shift ;;
    --rival)
      [ $# -ge 5 ] || usage
      printf '%s\t%s\t%s\t%s\n' "$2" "$3" "$4" "$5" >>"$data/rivals"
      shift 5
      ;;
    *) usage ;;
  esac
done

tallylight=${TALLYLIGHT_BIN:-target/release/tallylight}
[ -n "${TALLYLIGHT_BIN:-}" ] || cargo build --release -p tallylight

# A free port, so that a server that runs here already is not in the way.
export TALLYLIGHT_TURN_LISTEN=127.0.0.1:0

# configured COMMAND…: runs the program in its folder.
configured() {
  "$tallylight" --data "$data" --http 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
    --rtmp 127.0.0.1:0 --media-port 0 --public-ip 127.0.0.1 --log warn "$@"
}
configured account create bench --admin >/dev/null
configured channel create bench --owner bench
key=$(configured stream-key new bench)
# Each publisher by RTMP has a channel of its own.
for number in $(seq 10); do
  configured channel create "bench$number" --owner bench
  configured stream-key new "bench$number"
done >"$data/keys"

# Those who write in the chat: who moderates may say more, and admins do everywhere.
[ -n "$webrtc_only" ] || for number in $(seq 30); do
  configured account create "writer$number" --admin >/dev/null
  configured token create "writer$number" --scopes chat:read,chat:write
done >"$data/tokens"

# Not through the function: the id must be the server's own.
"$tallylight" --data "$data" --http 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
  --rtmp 127.0.0.1:0 --media-port 0 --public-ip 127.0.0.1 --log warn serve >"$data/greeting" &
server=$!
tries=0
until metrics=$(sed -n 's/.*Metrics  *//p' "$data/greeting") && [ -n "$metrics" ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] || { echo "bench: the server did not start" >&2; exit 1; }
  sleep 0.1
done
whip=$(sed -n 's/.*(WHIP)  *//p' "$data/greeting")

# measure NAME KIND OPTION…: one run, whose result is kept. One that fails tells why, and leaves a
# result only if it came to one; the others are worth having all the same.
results=0
measure() {
  name=$1
  kind=$2
  shift 2
  results=$((results + 1))
  file=$data/$results.json
  echo "$name: bench $kind" >&2
  "$tallylight" bench "$kind" --json "$@" >"$file" || true
  [ ! -s "$file" ] || printf '%s\n' "$name=$file" >>"$data/results"
}
: >"$data/results"

# all_of NAME LAYERS WHIP WHEP OPTION…: a run for each number of viewers.
all_of() {
  name=$1
  layers=$2
  publish=$3
  watch=$4
  shift 4
  for viewers in $counts; do
    measure "$name" webrtc --whip "$publish" --whep "$watch" --layers "$layers" \
      --viewers "$viewers" --duration "$seconds" "$@"
  done
}

TALLYLIGHT_BENCH_KEY=$key
export TALLYLIGHT_BENCH_KEY
whep=${whip%/whip}/whep/bench
for layers in 1 3; do
  all_of Tallylight "$layers" "$whip" "$whep" --server-pid "$server" --metrics "$metrics"
done
# Our key is nothing for others.
if [ -n "${RIVAL_KEY:-}" ]; then TALLYLIGHT_BENCH_KEY=$RIVAL_KEY; else unset TALLYLIGHT_BENCH_KEY; fi
tab=$(printf '\t')
while IFS=$tab read -r rival publish watch pids; do
  set --
  for pid in $(echo "$pids" | tr , ' '); do set -- "$@" --server-pid "$pid"; done
  all_of "$rival" 1 "$publish" "$watch" "$@" </dev/null
  measure "$rival" capacity --whip "$publish" --whep "$watch" "$@" </dev/null
done <"$data/rivals"
TALLYLIGHT_BENCH_KEY=$key
export TALLYLIGHT_BENCH_KEY
measure Tallylight capacity --whip "$whip" --whep "$whep" --server-pid "$server"

set --
if [ -z "$webrtc_only" ]; then
  # Viewers through TURN, beside the same without it.
  measure Tallylight turn --whip "$whip" --whep "$whep" --viewers 50 --duration "$seconds" \
    --server-pid "$server"
  # A full chat (RELIABILITY F18), with a little video for those who read by data channel.
  measure Tallylight chat --server "${whip%/whip}" --channel bench --tokens-file "$data/tokens" \
    --sockets 2000 --data-channels 200 --seconds "$seconds" --server-pid "$server"
  # An audience by LL-HLS, then joins (RELIABILITY F16).
  measure Tallylight hls --whip "$whip" --url "${whip%/whip}/hls/bench/index.m3u8" \
    --viewers 2000 --duration "$seconds" --joins 10000 --server-pid "$server"
  # Publishers by RTMP: with sound, which becomes Opus, and without.
  rtmp=rtmp://127.0.0.1:$(sed -n 's/.*(RTMP)  port \([0-9]*\),.*/\1/p' "$data/greeting")/live
  measure Tallylight rtmp --url "$rtmp" --keys "$data/keys" --publishers 10 \
    --duration "$seconds" --server-pid "$server"
  measure Tallylight rtmp --url "$rtmp" --keys "$data/keys" --publishers 10 \
    --duration "$seconds" --server-pid "$server" --no-audio
  {
    printf '%s\n\n' '`cargo bench -p tallylight-loadtest --bench forwarding`:'
    cargo bench -p tallylight-loadtest --bench forwarding || echo "It failed."
  } >"$data/forwarding"
  set -- --appendix "$data/forwarding"
fi

while read -r result; do set -- "$@" "$result"; done <"$data/results"
changed=
git diff --quiet HEAD -- . ':!docs' 2>/dev/null || changed=" with changes"
"$tallylight" bench table --into docs/BENCHMARKS.md --date "$(date -u +%F)" \
  --commit "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)$changed" "$@"

[ -n "$webrtc_only" ] ||
  TALLYLIGHT_BIN=$(realpath "$tallylight") npm --prefix web run e2e:latency
