#!/bin/sh
# The server from a debug build, a fake of Stripe's beside it, and the pages with reload in front of it.
# usage: scripts/dev.sh [server flags]
# Payments go to the fake unless TALLYLIGHT_PAYMENTS_SECRET_KEY is set; TALLYLIGHT_URL tells it where the
# server is, if not on port 8080.
set -eu
cd "$(dirname "$0")/.."

cargo build --workspace
fake=
if [ -z "${TALLYLIGHT_PAYMENTS_SECRET_KEY:-}" ]; then
    target/debug/fake-stripe --listen 127.0.0.1:12111 --secret whsec_of_development \
        --webhook "${TALLYLIGHT_URL:-http://127.0.0.1:8080}/webhooks/stripe" &
    fake=$!
    export TALLYLIGHT_PAYMENTS_SECRET_KEY=sk_test_of_development
    export TALLYLIGHT_PAYMENTS_WEBHOOK_SECRETS=whsec_of_development
    export TALLYLIGHT_PAYMENTS_STRIPE_URL=http://127.0.0.1:12111/
fi
target/debug/tallylight serve "$@" &
server=$!
trap 'kill "$server" $fake 2>/dev/null || true' EXIT INT TERM
npm --prefix web run dev
