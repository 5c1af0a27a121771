#!/usr/bin/env python3
"""Holds alerts, recording rules, dashboards, docs/metrics.md, docs/runbook.md and the sources against each other.

  check.py [--no-promtool] [ROOT]     prints one line per breach, exits 1 if there is any

Against running processes docs/metrics.md is held by tests/e2e/monitoring.test.mjs.
"""
import glob
import json
import os
import re
import subprocess
import sys

import yaml

import metrics_page
import promql

ARGUMENTS = [a for a in sys.argv[1:] if a != '--no-promtool']
ROOT = os.path.abspath(ARGUMENTS[0] if ARGUMENTS else os.path.join(os.path.dirname(__file__), '../..'))
HERE = os.path.join(ROOT, 'tests/monitoring')
FILES = os.path.join(ROOT, 'deploy/helm/signalbox/files')
# What Prometheus itself makes.
BUILT_IN = {'up': promql.Metric('gauge'), 'ALERTS': promql.Metric('recorded', frozenset({'alertname', 'alertstate', 'severity'}))}
TYPES = {'counter', 'gauge', 'histogram'}

errors = []


def complain(where, text):
    errors.append(f'{where}: {text}')


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as file:
        return file.read()


# --- docs/metrics.md and the sources --------------------------------------------------------------------------------------

def golden():
    known = {}
    for row in metrics_page.read(os.path.join(ROOT, 'docs/metrics.md')):
        if row.name in known:
            complain('docs/metrics.md', f'{row.name} is there twice')
        if row.type not in TYPES:
            complain('docs/metrics.md', f'{row.name}: type {row.type!r}')
        if not row.processes or set(row.processes) - set(metrics_page.PROCESSES):
            complain('docs/metrics.md', f'{row.name}: In {" ".join(row.processes)!r}')
        if len(row.meaning) < 10:
            complain('docs/metrics.md', f'{row.name}: no meaning')
        known[row.name] = promql.Metric(row.type, frozenset(row.labels))
    return known


def registered_in_sources():
    """Names that the sources register, also those of families that only an event makes."""
    names = {}
    pattern = re.compile(r'(Counter|Gauge|Histogram)\(\s*"((?:signalbox|gen_ai)_[a-z0-9_]+)"')
    for folder in ('common', 'services'):
        for path in glob.glob(os.path.join(ROOT, folder, '**/*.cc'), recursive=True):
            with open(path, encoding='utf-8') as file:
                text = file.read()
            for kind, name in pattern.findall(text):
                names[name] = kind.lower()
            for name in re.findall(r'"(process_[a-z_]+|signalbox_obs_series_refused_total)"', text):
                names[name] = 'counter' if name.endswith('_total') else 'gauge'
    return names


def check_sources(known):
    sources = registered_in_sources()
    for name in sorted(set(sources) | set(known)):
        if name not in known:
            complain('docs/metrics.md', f'{name} is registered in the sources and not listed')
        elif name not in sources:
            complain('docs/metrics.md', f'{name} is listed and nowhere registered')
        elif sources[name] != known[name].type:
            complain('docs/metrics.md', f'{name} is a {sources[name]}')


# --- rules ----------------------------------------------------------------------------------------------------------------

def add_recorded(known):
    """Recorded series count as defined by their name; a rule may use those above it."""
    for group in yaml.safe_load(read('deploy/helm/signalbox/files/recording-rules.yaml'))['groups']:
        for rule in group['rules']:
            where = f'recording rule {rule["record"]}'
            if rule['record'] in known:
                complain(where, 'is there twice')
            try:
                labels = promql.check(rule['expr'], known)
            except promql.Wrong as wrong:
                complain(where, wrong)
                labels = frozenset()
            known[rule['record']] = promql.Metric('recorded', labels | set(rule.get('labels', {})))
            if re.match(r'namespace(_[a-z]+)*:[a-z_]+:[a-z0-9_]+$', rule['record']) is None:
                complain(where, 'the name is not level:metric:operation')
            level = set(rule['record'].split(':')[0].split('_'))
            if labels and level != set(labels):
                complain(where, f'the level says {" ".join(sorted(level))}, the labels are {" ".join(sorted(labels))}')


def check_template(where, text, labels):
    for label in re.findall(r'\$labels\.(\w+)', text):
        if label not in labels:
            complain(where, f'{{{{ $labels.{label} }}}}: the expression has no such label')


def check_alerts(known):
    names = []
    for group in yaml.safe_load(read('deploy/helm/signalbox/files/alerts.yaml'))['groups']:
        for rule in group['rules']:
            name = rule['alert']
            where = f'alert {name}'
            names.append(name)
            try:
                labels = promql.check(rule['expr'], known)
            except promql.Wrong as wrong:
                complain(where, wrong)
                continue
            if rule['labels'].get('severity') not in ('page', 'ticket'):
                complain(where, 'severity is page or ticket')
            if set(rule['annotations']) != {'summary', 'description', 'runbook_url'}:
                complain(where, 'annotations are summary, description and runbook_url')
            for text in rule['annotations'].values():
                check_template(where, text, labels)
            if rule['annotations'].get('runbook_url') != f'docs/runbook.md#{name.lower()}':
                complain(where, f'runbook_url is not docs/runbook.md#{name.lower()}')
    for name in sorted({n for n in names if names.count(n) > 1}):
        complain(f'alert {name}', 'is there twice')
    return names


def check_runbook(alerts, known):
    text = read('docs/runbook.md')
    sections = re.findall(r'^### (Signalbox\w+)$', text, re.M)
    for name in alerts:
        if sections.count(name) != 1:
            complain('docs/runbook.md', f'{sections.count(name)} sections for the alert {name}')
    for name in sections:
        if name not in alerts:
            complain('docs/runbook.md', f'there is no alert {name}')
    parts = re.split(r'^### (Signalbox\w+)$', text, flags=re.M)
    for name, body in zip(parts[1::2], parts[2::2]):
        for heading in ('Means', 'Look', 'Do', 'Clears'):
            if f'**{heading}.**' not in body:
                complain('docs/runbook.md', f'{name} says nothing under {heading}')
    for query in re.findall(r'^```promql\n(.*?)^```', text, re.M | re.S):
        for line in filter(None, query.split('\n')):
            try:
                promql.check(line, known)
            except promql.Wrong as wrong:
                complain('docs/runbook.md', f'{line}: {wrong}')
    for name in re.findall(r'`((?:signalbox|process)_[a-z0-9_]+)`', text):
        if name not in known:
            complain('docs/runbook.md', f'there is no metric {name}')


def check_tests(alerts):
    """Every alert is made to fire and made to stay silent."""
    fires, silent = set(), set()
    for path in glob.glob(os.path.join(HERE, 'rules/*.test.yaml')):
        with open(path, encoding='utf-8') as file:
            for test in yaml.safe_load(file)['tests']:
                for case in test.get('alert_rule_test', []):
                    (fires if case.get('exp_alerts') else silent).add(case['alertname'])
    for name in alerts:
        if name not in fires:
            complain('tests/monitoring/rules', f'no test makes {name} fire')
        if name not in silent:
            complain('tests/monitoring/rules', f'no test shows {name} silent')
    for name in (fires | silent) - set(alerts):
        complain('tests/monitoring/rules', f'there is no alert {name}')


# --- dashboards -----------------------------------------------------------------------------------------------------------

def substitute(query):
    for name, value in (('$__rate_interval', '5m'), ('$__range', '3h'), ('$__interval', '1m')):
        query = query.replace(name, value)
    return query


def check_query(where, query, legend, known):
    try:
        labels = promql.check(substitute(query), known)
    except promql.Wrong as wrong:
        complain(where, f'{query}: {wrong}')
        return
    for label in re.findall(r'\{\{\s*(\w+)\s*\}\}', legend):
        if label not in labels:
            complain(where, f'legend {{{{{label}}}}}: {query} has no such label')


def check_variables(where, board, known):
    names = set()
    for one in board['templating']['list']:
        names.add(one['name'])
        if one['type'] == 'datasource':
            continue
        if one['datasource']['uid'] != '${datasource}':
            complain(where, f'variable {one["name"]} does not use the variable datasource')
        selector, label = re.fullmatch(r'label_values\((.*), (\w+)\)', one['definition']).groups()
        try:
            if label not in promql.check(selector, known):
                complain(where, f'variable {one["name"]}: {selector} has no label {label}')
        except promql.Wrong as wrong:
            complain(where, f'variable {one["name"]}: {wrong}')
        if one['includeAll'] and one.get('allValue') != '.*':
            complain(where, f'variable {one["name"]}: allValue must be ".*", which also matches series without the label')
    if not {'datasource', 'namespace', 'pod'} <= names:
        complain(where, 'the variables datasource, namespace and pod are needed')
    used = set(re.findall(r'\$(?:\{)?([a-z]\w*)', json.dumps(board)))
    for name in used - names:
        complain(where, f'uses the variable ${name}, which it does not have')
    for name in names - used:
        complain(where, f'does not use its variable ${name}')


def check_panels(where, board, known):
    ids, taken = set(), {}
    for one in board['panels']:
        at = f'{where}, panel {one.get("title")!r}'
        if one['id'] in ids:
            complain(at, f'id {one["id"]} is there twice')
        ids.add(one['id'])
        place = one['gridPos']
        if place['x'] < 0 or place['w'] < 1 or place['x'] + place['w'] > 24:
            complain(at, 'is outside the grid')
        for x in range(place['x'], place['x'] + place['w']):
            for y in range(place['y'], place['y'] + place['h']):
                if (x, y) in taken:
                    complain(at, f'overlaps {taken[x, y]!r}')
                    break
                taken[x, y] = one['title']
        if not one.get('title'):
            complain(at, 'has no title')
        if one['type'] == 'row':
            continue
        if len(one.get('description', '')) < 10:
            complain(at, 'has no description')
        if not one['fieldConfig']['defaults'].get('unit'):
            complain(at, 'has no unit')
        if not one.get('targets'):
            complain(at, 'has no query')
        if 'libraryPanel' in one:
            complain(at, 'is a library panel')
        refs = [t['refId'] for t in one['targets']]
        if len(set(refs)) != len(refs):
            complain(at, 'has a refId twice')
        for source in [one, *one['targets']]:
            if source.get('datasource') != {'type': 'prometheus', 'uid': '${datasource}'}:
                complain(at, 'does not use the variable datasource')
        for target in one['targets']:
            check_query(at, target['expr'], target['legendFormat'], known)


def check_dashboards(known):
    uids, titles = {}, {}
    paths = sorted(glob.glob(os.path.join(FILES, 'dashboards/*.json')))
    if len(paths) < 3:
        complain('dashboards', f'{len(paths)} files')
    for path in paths:
        where = os.path.basename(path)
        with open(path, encoding='utf-8') as file:
            board = json.load(file)
        for key, seen in (('uid', uids), ('title', titles)):
            if board[key] in seen:
                complain(where, f'{key} {board[key]} is also that of {seen[board[key]]}')
            seen[board[key]] = where
        if board['uid'] + '.json' != where:
            complain(where, 'is not called like its uid')
        if not 39 <= board['schemaVersion'] <= 41 or board['id'] is not None:
            complain(where, 'schemaVersion 39 to 41 and no id are wanted')
        for one in board['annotations']['list']:
            if one['datasource']['uid'] != '${datasource}':
                complain(where, f'annotation {one["name"]} does not use the variable datasource')
            check_query(where, one['expr'], one['textFormat'], known)
        check_variables(where, board, known)
        check_panels(where, board, known)


# --- promtool -------------------------------------------------------------------------------------------------------------

def promtool(*arguments):
    done = subprocess.run(['promtool', *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        complain('promtool ' + ' '.join(arguments[:2]), '\n' + (done.stdout + done.stderr).strip())


def main():
    known = {**BUILT_IN, **golden()}
    check_sources({n: m for n, m in known.items() if n not in BUILT_IN})
    add_recorded(known)
    alerts = check_alerts(known)
    check_runbook(alerts, known)
    check_tests(alerts)
    check_dashboards(known)
    if '--no-promtool' not in sys.argv:
        promtool('check', 'rules', '--lint=all', '--lint-fatal', *(os.path.join(FILES, f) for f in ('recording-rules.yaml', 'alerts.yaml')))
        promtool('test', 'rules', *sorted(glob.glob(os.path.join(HERE, 'rules/*.test.yaml'))))
    for error in errors:
        print(error)
    print(f'monitoring: {len(known)} series, {len(alerts)} alerts, {len(errors)} breaches')
    return 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main())
