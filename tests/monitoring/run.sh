#!/usr/bin/env bash
# Everything about alerts, recording rules and dashboards that needs no running process. Needs Debian's python3 with python3-yaml, and promtool
# (prometheus).
set -euo pipefail
cd "$(dirname "$0")"
export PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 test_promql.py
/usr/bin/python3 dashboards.py --check
/usr/bin/python3 check.py
/usr/bin/python3 canary.py
