#!/usr/bin/env bash
# `./dev bench`: builds what is measured and runs the comparison. `./dev bench --quick` is a smoke run for CI.
set -euo pipefail
cd "$(dirname "$0")/../.."
source ./dev source
if [ "${1:-}" = brain ]; then
  shift
  build brain-bench
  exec "$BIN/brain-bench" "$@"
fi
need_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_RUN[@]}" "${PACKAGES_BENCH[@]}" wrk
build signalbox ingress router-decision provider-adapter metrics-aggregator provider-fleet
exec python3 tests/bench/bench.py --bin "$BIN" "$@"
