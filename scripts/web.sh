#!/bin/sh
# Installs the front end's packages and builds it, each only where something changed.
set -eu
cd "$(dirname "$0")/../web"

stamp=node_modules/.package-lock.json
if [ ! -e "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
  npm ci --no-audit --no-fund
fi

built=dist/index.html
if [ ! -e "$built" ] || [ -n "$(find src public index.html package-lock.json vite.config.ts -newer "$built" -print -quit)" ]; then
  npm run build
fi
