#!/usr/bin/env python3
"""check.py bites: each breach below, planted in a copy, must be reported; the untouched copy must not."""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '../..'))
ALERTS, RECORDING = 'deploy/helm/signalbox/files/alerts.yaml', 'deploy/helm/signalbox/files/recording-rules.yaml'
OVERVIEW = 'deploy/helm/signalbox/files/dashboards/signalbox-overview.json'
METRICS, RUNBOOK = 'docs/metrics.md', 'docs/runbook.md'

# file, what stands there, what stands there instead, what must be reported
BREACHES = [
    (METRICS, '| `signalbox_ingress_shed_total` | counter |', '| `signalbox_ingress_refused_total` | counter |', 'signalbox_ingress_shed_total is registered in the sources and not listed'),
    (METRICS, '| `signalbox_ingress_shed_total` | counter |', '| `signalbox_ingress_refused_total` | counter |', 'signalbox_ingress_refused_total is listed and nowhere registered'),
    (METRICS, '| `signalbox_host_ready` | gauge |', '| `signalbox_host_ready` | counter |', 'signalbox_host_ready is a gauge'),
    ('services/ingress/metrics.cc', '"signalbox_ingress_shed_total"', '"signalbox_ingress_turned_away_total"', 'signalbox_ingress_turned_away_total is registered'),
    (ALERTS, 'signalbox_config_stale == 1', 'signalbox_config_old == 1', 'there is no metric signalbox_config_old'),
    (ALERTS, '{role="money"}', '{store="money"}', 'signalbox_redis_connections has no label store'),
    (ALERTS, 'max by (namespace, endpoint) (signalbox_aggregator_endpoint_tool_alarm)', 'max by (namespace) (signalbox_aggregator_endpoint_tool_alarm)', 'the expression has no such label'),
    (ALERTS, 'increase(signalbox_ingress_shed_total[2m])', 'signalbox_ingress_shed_total', 'is a counter'),
    (ALERTS, 'docs/runbook.md#signalboxshedding', 'docs/runbook.md#shedding', 'runbook_url is not'),
    (ALERTS, 'alert: SignalboxShedding', 'alert: SignalboxSheds', 'no test makes SignalboxSheds fire'),
    (RECORDING, 'namespace:signalbox_chats_bad:ratio_rate1h', 'namespace:signalbox_chats_bad:ratio_1h', 'there is no metric namespace:signalbox_chats_bad:ratio_rate1h'),
    (RECORDING, 'namespace_model:signalbox_aggregator_endpoint_availability:max', 'namespace:signalbox_aggregator_endpoint_availability:max', 'the level says namespace, the labels are model namespace'),
    (RUNBOOK, '### SignalboxShedding', '### SignalboxSheds', 'there is no alert SignalboxSheds'),
    (RUNBOOK, '### SignalboxShedding', '### SignalboxSheds', '0 sections for the alert SignalboxShedding'),
    (RUNBOOK, 'sum(signalbox_ingress_settle_pending)', 'sum(signalbox_ingress_settle_waiting)', 'there is no metric signalbox_ingress_settle_waiting'),
    (OVERVIEW, 'sum by (outcome) (rate(signalbox_ingress_chats_total', 'sum by (result) (rate(signalbox_ingress_chats_total', 'no such label'),
    (OVERVIEW, '"legendFormat": "{{outcome}}"', '"legendFormat": "{{result}}"', 'legend {{result}}'),
    (OVERVIEW, '"x": 4,', '"x": 2,', 'overlaps'),
    (OVERVIEW, '"id": 3,', '"id": 4,', 'id 4 is there twice'),
    (OVERVIEW, '"unit": "reqps"', '"unit": ""', 'has no unit'),
    (OVERVIEW, '"uid": "${datasource}"', '"uid": "prometheus"', 'does not use the variable datasource'),
    (OVERVIEW, '"uid": "signalbox-overview"', '"uid": "signalbox-routing"', 'uid signalbox-routing is also that of'),
    (OVERVIEW, '"allValue": ".*"', '"allValue": ".+"', 'allValue must be'),
]


def check(root):
    done = subprocess.run([sys.executable, os.path.join(ROOT, 'tests/monitoring/check.py'), '--no-promtool', root], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def main():
    wrong = 0
    with tempfile.TemporaryDirectory() as root:
        for path in ('common', 'services', 'deploy/helm/signalbox/files', 'tests/monitoring', 'docs'):
            shutil.copytree(os.path.join(ROOT, path), os.path.join(root, path), ignore=shutil.ignore_patterns('__pycache__'))
        code, output = check(root)
        if code != 0:
            print(f'the untouched copy is not clean:\n{output}')
            return 1
        for path, old, new, report in BREACHES:
            full = os.path.join(root, path)
            with open(full, encoding='utf-8') as file:
                text = file.read()
            if old not in text:
                print(f'{path}: {old!r} is not there any more: plant another breach')
                wrong += 1
                continue
            with open(full, 'w', encoding='utf-8') as file:
                file.write(text.replace(old, new, 1))
            code, output = check(root)
            if code == 0 or report not in output:
                print(f'{path}: {old!r} -> {new!r} is not reported as {report!r}:\n{output}')
                wrong += 1
            with open(full, 'w', encoding='utf-8') as file:
                file.write(text)
    print(f'canary: {len(BREACHES)} breaches planted, {wrong} not seen')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
