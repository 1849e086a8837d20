#!/bin/sh
# Runs every fuzz target for a while; what crashes is left in artifacts/ beside it.
# usage: SECONDS_EACH=30 scripts/fuzz.sh
set -eu
cd "$(dirname "$0")/.."

cargo fuzz --version >/dev/null 2>&1 || {
  echo "fuzz: install it with: cargo install cargo-fuzz; rustup toolchain install nightly" >&2
  exit 1
}
for folder in fuzz sfu/fuzz; do
  [ -e "$folder/Cargo.toml" ] || continue
  for target in $(cargo +nightly fuzz list --fuzz-dir "$folder"); do
    echo "fuzz: $folder $target"
    cargo +nightly fuzz run --fuzz-dir "$folder" "$target" -- -max_total_time="${SECONDS_EACH:-30}"
  done
done
