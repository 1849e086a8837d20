#!/bin/sh
# Runs every fuzz target for FUZZ_SECONDS (60) each, with the nightly compiler; installs cargo-fuzz
# if it is missing. An input that breaks a promise is left in artifacts/ beside its target: give it
# a name that says what it broke and put it into corpus/.
# usage: FUZZ_SECONDS=600 scripts/fuzz.sh [TARGET…]
set -eu
cd "$(dirname "$0")/.."

cargo +nightly --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal
cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked

# The projects share their dependencies.
CARGO_TARGET_DIR=$PWD/sfu/fuzz/target
export CARGO_TARGET_DIR
# SQLite's constants look defined twice to the sanitizer; they are not.
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_odr_violation=0}"

broken=
for folder in sfu/fuzz rtmp/fuzz turn/fuzz fuzz; do
  for target in $(cargo +nightly fuzz list --fuzz-dir "$folder"); do
    case " ${*:-$target} " in *" $target "*) ;; *) continue ;; esac
    echo "fuzz: $folder $target"
    set_of_words=
    [ ! -e "$folder/$target.dict" ] || set_of_words="-dict=$folder/$target.dict"
    # New inputs go into a folder of their own, so that the corpus in the repository stays small.
    found=$folder/target/found/$target
    mkdir -p "$found"
    # shellcheck disable=SC2086
    cargo +nightly fuzz run --fuzz-dir "$folder" "$target" "$found" "$folder/corpus/$target" -- \
      -max_total_time="${FUZZ_SECONDS:-60}" -max_len=16384 -timeout=10 $set_of_words \
      || broken="$broken $target"
  done
done
[ -z "$broken" ] || {
  echo "fuzz: broken:$broken" >&2
  exit 1
}
