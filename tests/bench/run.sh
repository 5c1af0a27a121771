#!/usr/bin/env bash
# `./dev bench`: builds what is measured and runs the comparison. `./dev bench --quick` is a smoke run for CI,
# `./dev bench sizing` measures what docs/operations.md sizes pods by.
set -euo pipefail
cd "$(dirname "$0")/../.."
source ./dev source
if [ "${1:-}" = brain ]; then
  shift
  build brain-bench
  exec "$BIN/brain-bench" "$@"
fi
sizing=0
if [ "${1:-}" = sizing ]; then sizing=1; shift; fi
need_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_RUN[@]}" "${PACKAGES_BENCH[@]}" wrk
build signalbox ingress router-decision provider-adapter metrics-aggregator provider-fleet
[ $sizing = 1 ] && exec python3 tests/bench/sizing.py --bin "$BIN" "$@"
exec python3 tests/bench/bench.py --bin "$BIN" "$@"
