#!/bin/sh
# Installs what is missing on Debian 12, and says clearly what it cannot install.
# usage: scripts/setup.sh run|test
set -eu
cd "$(dirname "$0")/.."

for_what=${1:-run}

# aws-lc (DTLS and SRTP) is built from C sources by cmake.
packages="build-essential cmake pkg-config ca-certificates"
if [ "$for_what" = test ]; then
  # Chromium drives the pages, ffmpeg makes media, PostgreSQL is the second database.
  packages="$packages chromium ffmpeg postgresql procps"
fi

fail() {
  echo "setup: $*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "please run as root: $*"
  fi
}

# at_least HAVE WANT: whether version HAVE is WANT or newer.
at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

candidate() {
  apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p' | sed 's/^[0-9]*://; s/[-+~].*//'
}

if command -v dpkg-query >/dev/null; then
  missing=
  for package in $packages; do
    is_installed "$package" || missing="$missing $package"
  done
  if [ -n "$missing" ]; then
    echo "setup: installing$missing"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
  fi
else
  echo "setup: this is no Debian; please see to it that these are there: $packages" >&2
fi

rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
  fail "cargo is in $HOME/.cargo/bin, which is not in PATH; run: . \"$HOME/.cargo/env\""
fi
have=$(cargo --version 2>/dev/null | cut -d' ' -f2 || true)
if [ -z "$have" ] || ! at_least "$have" "$rust"; then
  fail "Rust $rust or newer is needed (found: ${have:-none}; Debian 12 has only 1.63).
  Install it with rustup (https://rustup.rs):
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . \"\$HOME/.cargo/env\""
fi

if [ "$for_what" = test ]; then
  for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 ||
      fail "cargo $component is missing; install it with: rustup component add rustfmt clippy"
  done
fi

node=20.19
have=$(node --version 2>/dev/null | sed 's/^v//' || true)
if [ -z "$have" ] || ! at_least "$have" "$node"; then
  offered=$(candidate nodejs)
  if [ -n "$offered" ] && at_least "$offered" "$node"; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y nodejs
  else
    fail "Node $node or newer is needed for the pages (found: ${have:-none}; Debian 12 has only 18).
  Install Node 20 from https://nodejs.org/en/download or its Debian repository."
  fi
fi
command -v npm >/dev/null || fail "npm is missing; it comes with Node from https://nodejs.org"

scripts/web.sh
