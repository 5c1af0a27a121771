#!/usr/bin/env bash
# Checks the images as they are, and runs them as they are meant to be run: read-only, without privileges, without a shell.
# Needs docker or podman, curl and python3. Leaves nothing behind.
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)

usage() { echo 'deploy/docker/check.sh [--engine docker|podman] [--tag TAG]   (default: whichever is there; the project'"'"'s version)'; }
say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf 'check.sh: %s\n' "$*" >&2; exit 1; }
passed=0
ok() { passed=$((passed + 1)); printf '  ok  %s\n' "$*"; }

engine='' tag=''
while [ $# -gt 0 ]; do
  case $1 in
    --engine | --tag) printf -v "${1#--}" %s "${2:?$1 needs a value}"; shift ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 64 ;;
  esac
  shift
done
if [ -z "$engine" ]; then if docker info >/dev/null 2>&1; then engine=docker; else engine=podman; fi; fi
version=$(sed -n 's/^project(signalbox VERSION \([0-9.]*\).*/\1/p' "$HERE/../../CMakeLists.txt")
tag=${tag:-$version}
plain=signalbox/signalbox:$tag
all_in_one=signalbox/signalbox-all-in-one:$tag

container=("$engine")
run_options=(--read-only --user 65532:65532 --cap-drop ALL --security-opt no-new-privileges)
if [ "$engine" = podman ]; then
  # crun refuses machines whose control groups are version 1 or mixed; runc takes them.
  if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ] && command -v runc >/dev/null; then container+=(--runtime runc --cgroup-manager cgroupfs); fi
  # podman asks for more than a restricted root may have.
  run_options+=(--ulimit "nofile=$(ulimit -Hn):$(ulimit -Hn)" --ulimit nproc=4096:4096)
  # podman times health checks by systemd, which may not be there; here the probe is called by hand.
  run_options+=(--no-healthcheck)
fi
e() { "${container[@]}" "$@"; }
once() { e run --rm --network none "${run_options[@]}" "$@"; }

work=$(mktemp -d)
chmod 755 "$work"
name=signalbox-check-$$
cleanup() {
  e rm -f "$name-fleet" >/dev/null 2>&1 || true
  e rm -fv "$name" >/dev/null 2>&1 || true
  e rm -fv "$name-files" >/dev/null 2>&1 || true
  e volume rm "$name" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT

# --- the image at rest ----------------------------------------------------------------------------------------------------
for image in "$plain" "$all_in_one"; do
  say "$image"
  e create --name "$name-files" "${run_options[@]}" "$image" >/dev/null
  e export "$name-files" -o "$work/files.tar"
  e rm -v "$name-files" >/dev/null
  e image inspect "$image" >"$work/image.json"
  redis=()
  [ "$image" = "$plain" ] || redis=(--redis)
  python3 "$HERE/check_files.py" --tar "$work/files.tar" --image "$work/image.json" --version "$version" "${redis[@]}" >"$work/out" || { cat "$work/out"; fail "$image: see above"; }
  cat "$work/out"
  passed=$((passed + $(grep -c '^  ok' "$work/out")))
  rm "$work/files.tar"

  programs=(ingress router-decision provider-adapter metrics-aggregator signalbox)
  for program in "${programs[@]}"; do
    [ "$(once "$image" "/usr/local/bin/$program" --version)" = "$program $version" ] || fail "$program --version"
  done
  once "$image" /usr/local/bin/provider-fleet --help >"$work/out" 2>&1 || true  # exit code 64 with every kind of usage
  grep -q 'usage: provider-fleet' "$work/out" || fail "provider-fleet: $(cat "$work/out")"
  ok "every program runs, read-only, as 65532, without capabilities and network"

  # The loader in the image says what it finds in the image.
  case $(uname -m) in aarch64) loader=/lib/ld-linux-aarch64.so.1 ;; *) loader=/lib64/ld-linux-x86-64.so.2 ;; esac
  executables=("${programs[@]/#//usr/local/bin/}" /usr/local/bin/provider-fleet)
  [ "$image" = "$plain" ] || executables+=(/usr/bin/redis-server)
  for program in "${executables[@]}"; do
    once "$image" "$loader" --list "$program" >"$work/out" || fail "$program: $(cat "$work/out")"
    if grep -q 'not found' "$work/out"; then fail "$program: $(grep 'not found' "$work/out")"; fi
  done
  ok "every shared library is found by the image's own loader"

  once "$image" /usr/local/bin/signalbox validate /usr/share/signalbox/catalogue | grep -q ' endpoints$' || fail "validate"
  ok "signalbox validate /usr/share/signalbox/catalogue"
  if once "$image" /bin/sh -c true >/dev/null 2>&1 || once "$image" sh -c true >/dev/null 2>&1; then fail "there is a shell"; fi
  ok "no shell"
  if once "$image" /usr/local/bin/signalbox --probe=127.0.0.1:9091 >/dev/null 2>&1; then fail "the probe says ready where nothing runs"; fi
  ok "the probe fails where nothing runs"
done

# --- the all-in-one image at work -----------------------------------------------------------------------------------------
say "$all_in_one serves"
cat >"$work/signalbox.yaml" <<'EOF'
host: {listen: "0.0.0.0:9090", admin: "0.0.0.0:9091"}
catalogue: [/usr/share/signalbox/catalogue, demo.yaml]
ingress: {http_listen: "0.0.0.0:8080"}
serve: {data_dir: /var/lib/signalbox}
EOF
cp "$HERE/../compose/demo/catalogue.yaml" "$work/demo.yaml"
sed 's/^  tokens: .*/  tokens: 300/' "$HERE/../compose/demo/fleet.yaml" >"$work/fleet.yaml"  # answers of some seconds
chmod 644 "$work"/*.yaml
e volume create "$name" >/dev/null

start() {
  e run -d --name "$name" "${run_options[@]}" --add-host fleet:127.0.0.1 -p 127.0.0.1::8080 -v "$work:/etc/signalbox:ro" \
    -v "$name:/var/lib/signalbox" "$all_in_one" >/dev/null
  url=http://$(e port "$name" 8080/tcp | head -n 1)
  # Beside it, in the same network namespace.
  e run -d --name "$name-fleet" "${run_options[@]}" --network "container:$name" -v "$work:/etc/signalbox:ro" "$plain" \
    /usr/local/bin/provider-fleet --config /etc/signalbox/fleet.yaml --listen 127.0.0.1:8000 >/dev/null
  for _ in $(seq 100); do
    e exec "$name" /usr/local/bin/signalbox --probe=127.0.0.1:9091 >/dev/null 2>&1 && return
    sleep 0.2
  done
  e logs "$name" >&2
  fail "not ready after 20 s"
}
chat() {  # stream(true|false) words : to $work/answer
  curl -sS -N --max-time 120 -o "$work/answer" -w '%{http_code}' "$url/api/v1/chat/completions" -H "Authorization: Bearer $key" \
    -H 'Content-Type: application/json' -d '{"model": "demo/llama-70b", "stream": '"$1"', "max_tokens": '"$2"', "messages": [{"role": "user", "content": "Say hello."}]}'
}
start
ok "ready, by the image's own probe"
pid=$(e inspect -f '{{.State.Pid}}' "$name")
if [ -r "/proc/$pid/status" ] && [ "$pid" != 0 ]; then
  grep -qE '^Uid:\s+65532\s+65532\s+65532\s+65532$' "/proc/$pid/status" || fail "user: $(grep Uid "/proc/$pid/status")"
  grep -qE '^CapEff:\s+0+$' "/proc/$pid/status" && grep -qE '^CapBnd:\s+0+$' "/proc/$pid/status" || fail "$(grep Cap "/proc/$pid/status")"
  grep -qE '^NoNewPrivs:\s+1$' "/proc/$pid/status" || fail "new privileges are possible"
  ok "the process: user 65532, no capability, no new privileges"
fi
key=$(e exec "$name" /usr/local/bin/signalbox keys create --config /etc/signalbox/signalbox.yaml --name check --quiet)
code=$(chat false 60)
[ "$code" = 200 ] && python3 - "$work/answer" <<'EOF' || fail "chat: $code $(cat "$work/answer")"
import json, sys
answer = json.load(open(sys.argv[1]))
assert answer["choices"][0]["message"]["content"].strip(), answer
assert answer["usage"]["completion_tokens"] > 0 and float(answer["usage"]["cost"]) > 0, answer
EOF
ok "a chat request from outside: content, usage, cost"

# A stream that is open when SIGTERM comes ends as it would have ended, then the process does.
(chat true 300 >"$work/code") &
stream=$!
for _ in $(seq 100); do grep -q '"content":"[^"]' "$work/answer" 2>/dev/null && grep -q '^data: ' "$work/answer" && break; sleep 0.05; done
grep -q '^data: \[DONE\]' "$work/answer" && fail "the stream was over before it could be interrupted"
e kill --signal TERM "$name" >/dev/null
wait $stream || fail "the stream broke"
tail -n 3 "$work/answer" | grep -q '^data: \[DONE\]' || fail "the stream has no end: $(tail -n 3 "$work/answer")"
exit_code=$(timeout 60 "${container[@]}" wait "$name") || fail "it does not end"
[ "$exit_code" = 0 ] || { e logs "$name" | tail -n 5 >&2; fail "exit code $exit_code after SIGTERM"; }
ok "SIGTERM during a stream: the stream ends whole, exit code 0"

e rm -f "$name-fleet" >/dev/null
e rm -v "$name" >/dev/null
start
code=$(chat false 10)
[ "$code" = 200 ] || fail "the key is gone after a restart: $code"
ok "the key outlives the container, in its volume"
say "$passed checks passed"
