#!/bin/sh
# The server from a debug build, and the pages with reload in front of it.
# usage: scripts/dev.sh [server flags]
set -eu
cd "$(dirname "$0")/.."

cargo build --workspace
target/debug/tallylight serve "$@" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT INT TERM
npm --prefix web run dev
