#!/usr/bin/env bash
# `./dev test [word…]`: every ring, or only the tests whose name contains one of the words. The set-up is done by ./dev.
set -euo pipefail
cd "$(dirname "$0")/.."
source ./dev source

passed=0
failed=0
failures=()

# ring <name> <command…>: runs it, counts it, goes on after a failure so that one run shows everything.
ring() {
  local name=$1; shift
  say "== $name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); failures+=("$name"); fi
}

# Node of a known version, from the lock file: Debian's is too old for the newest client. Debian's npm makes no links in .bin.
node_bin() { ls "$ROOT"/tests/e2e/node_modules/node-linux-*/bin/node; }
buf_bin() { ls "$ROOT"/tests/e2e/node_modules/@bufbuild/buf-linux-*/bin/buf; }

ctest_dev() { ctest --test-dir "$BUILD" -j 2 --output-on-failure --no-tests=error "$@"; }

# The rooms without gRPC, whose libraries are not instrumented; sockets of our own are in.
PURE_TESTS=(base_test json_test sse_test obs_test config_test seam_test pricing_test catalogue_test net_test http_test redis_test
  ingress_core_test router_decision_test provider_adapter_tools_test provider_adapter_test dialects_test metrics-aggregator_test)
sanitizer() {  # preset
  local pattern
  pattern="^($(IFS='|'; echo "${PURE_TESTS[*]}"))$"
  cmake --preset "$1" >/dev/null && cmake --build "build/$1" -j "$JOBS" --target "${PURE_TESTS[@]}" | tail -n 1 &&
    ctest --test-dir "build/$1" -R "$pattern" -j 2 --output-on-failure --no-tests=error
}

buf_lint() { (cd protos && "$(buf_bin)" lint && echo "protos: lint clean"); }
# Against the newest release tag, once there is one.
buf_breaking() {
  local tag
  tag=$(git tag --list 'v*' --sort=-v:refname | head -n 1)
  if [ -z "$tag" ]; then echo "protos: no release tag yet, nothing to compare with"; return; fi
  (cd protos && "$(buf_bin)" breaking --against "../.git#tag=$tag,subdir=protos")
}

e2e() { (cd tests/e2e && SIGNALBOX_BIN="$BIN" "$(node_bin)" --test --test-concurrency=1 --test-timeout=600000 --test-reporter=spec "$@"); }

helm_chart() { need_npm tests/helm; PATH="$(dirname "$(node_bin)"):$PATH" bash tests/helm/run.sh; }
monitoring() { bash tests/monitoring/run.sh; }
# Upgrade and kill under load, every replica in a network namespace; the other scenarios by hand, or with `./dev test cluster`.
cluster() { python3 tests/cluster/cluster.py --bin "$BIN" --quick "$@"; }

bench_smoke() { python3 tests/bench/bench.py --bin "$BIN" --quick --json "$BUILD/bench-smoke.json"; }

if [ $# -gt 0 ]; then
  pattern=$(IFS='|'; echo "$*")
  [ -f "$BUILD/build.ninja" ] || cmake --preset dev >/dev/null
  # Only the executables whose name matches are built: the inner loop stays short.
  mapfile -t targets < <(ninja -C "$BUILD" -t targets all | sed -n 's/^\([a-z0-9_-]*_test\): phony$/\1/p' | grep -E "$pattern" || true)
  mapfile -t e2e_files < <(cd tests/e2e && ls ./*.test.mjs | grep -E "$pattern" || true)
  if [ ${#targets[@]} -gt 0 ]; then build "${targets[@]}"; fi
  if [ ${#targets[@]} -gt 0 ] || [[ "$pattern" == *tidy* ]]; then ring "ctest -R '$pattern'" ctest_dev -R "$pattern"; fi
  if [[ "$pattern" == *protos* ]]; then need_npm tests/e2e; ring "buf lint" buf_lint; fi
  if [[ "$pattern" == *helm* ]]; then need_npm tests/e2e; build signalbox; ring "Helm chart and manifests" helm_chart; fi
  if [[ "$pattern" == *monitoring* ]]; then ring "alerts, rules and dashboards" monitoring; fi
  if [[ "$pattern" == *cluster* ]]; then
    build signalbox ingress router-decision provider-adapter metrics-aggregator provider-fleet
    ring "rolling upgrade in network namespaces" cluster
    ring "the same with TLS everywhere, Redis failing over" cluster --tls --sentinel --scenario failover,rotate
  fi
  if [ ${#e2e_files[@]} -gt 0 ]; then
    need_npm tests/e2e
    build signalbox ingress router-decision provider-adapter metrics-aggregator provider-fleet
    ring "end to end: ${e2e_files[*]}" e2e "${e2e_files[@]}"
  fi
  [ $((passed + failed)) -gt 0 ] || fail "no test matches: $*"
else
  need_packages "${PACKAGES_BENCH[@]}" wrk
  need_npm tests/e2e
  build
  ring "unit, contract, integration, tidy" ctest_dev
  ring "pure rooms under AddressSanitizer and UBSan" sanitizer asan
  ring "protos: lint" buf_lint
  ring "protos: breaking changes" buf_breaking
  ring "Helm chart and manifests" helm_chart
  ring "alerts, rules and dashboards" monitoring
  ring "end to end on both topologies" e2e
  ring "rolling upgrade in network namespaces" cluster
  ring "benchmark, smoke run" bench_smoke
fi

for name in "${failures[@]:-}"; do [ -z "$name" ] || say "FAILED: $name"; done
echo
echo "rings: $passed passed, $failed failed"
[ "$failed" = 0 ]
