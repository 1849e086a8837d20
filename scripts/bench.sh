#!/bin/sh
# The benchmarks of docs/BENCHMARKS.md, on a server of their own.
# usage: scripts/bench.sh [seconds of each run]
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-10}
data=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$data"
}
trap stop EXIT
trap 'exit 1' INT TERM

cargo build --release -p tallylight
tallylight() {
  target/release/tallylight --data "$data" --http 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
    --rtmp 127.0.0.1:0 --media-port 0 --public-ip 127.0.0.1 --log warn "$@"
}
tallylight account create bench --admin >/dev/null
tallylight channel create bench --owner bench
TALLYLIGHT_BENCH_KEY=$(tallylight stream-key new bench)
export TALLYLIGHT_BENCH_KEY
# Each publisher by RTMP has a channel of its own.
for number in $(seq 10); do
  tallylight channel create "bench$number" --owner bench
  tallylight stream-key new "bench$number"
done >"$data/keys"

# Not through the function: the id must be the server's own.
target/release/tallylight --data "$data" --http 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
  --rtmp 127.0.0.1:0 --media-port 0 --public-ip 127.0.0.1 --log warn serve >"$data/greeting" &
server=$!
tries=0
until metrics=$(sed -n 's/.*Metrics  *//p' "$data/greeting") && [ -n "$metrics" ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] || { echo "bench: the server did not start" >&2; exit 1; }
  sleep 0.1
done
whip=$(sed -n 's/.*(WHIP)  *//p' "$data/greeting")

for layers in 1 3; do
  for viewers in 1 50 100; do
    echo
    target/release/tallylight bench webrtc --whip "$whip" --whep "${whip%/whip}/whep/bench" \
      --viewers "$viewers" --layers "$layers" --duration "$seconds" \
      --server-pid "$server" --metrics "$metrics"
  done
done

# An audience by LL-HLS, then joins (RELIABILITY F16).
echo
target/release/tallylight bench hls --whip "$whip" --url "${whip%/whip}/hls/bench/index.m3u8" \
  --viewers 2000 --duration "$seconds" --joins 10000 --server-pid "$server"

# Publishers by RTMP: with sound, which becomes Opus, and without.
rtmp=rtmp://127.0.0.1:$(sed -n 's/.*(RTMP)  port \([0-9]*\),.*/\1/p' "$data/greeting")/live
for sound in "" --no-audio; do
  echo
  # Word splitting is wanted: no word without the option.
  target/release/tallylight bench rtmp --url "$rtmp" --keys "$data/keys" --publishers 10 \
    --duration "$seconds" --server-pid "$server" $sound
done

echo
cargo bench -p tallylight-loadtest --bench forwarding

TALLYLIGHT_BIN=$PWD/target/release/tallylight npm --prefix web run e2e:latency
