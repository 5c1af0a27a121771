"""Grafana's JSON from short descriptions: panels laid out from left to right, nothing left to its defaults by accident.

  panel('Chats', 'What it shows.', 'reqps', [('sum(rate(signalbox_x_total{@}[$__rate_interval]))', 'all')])

`{@}` and `{@, label="x"}` stand for the selectors of the dashboard's variables namespace and pod.
"""
SCHEMA_VERSION = 39  # Grafana 10.3 and later
SELECTOR = 'namespace=~"$namespace", pod=~"$pod"'
DATASOURCE = {'type': 'prometheus', 'uid': '${datasource}'}


def panel(title, description, unit, queries, width=8, kind='timeseries', stack=False, height=8, maximum=None, thresholds=None,
          decimals=None, instant=False):
    return dict(title=title, description=description, unit=unit, queries=queries, width=width, kind=kind, stack=stack, height=height,
                maximum=maximum, thresholds=thresholds, decimals=decimals, instant=instant)


def stat(title, description, unit, query, width=4, thresholds=None, decimals=None, legend=''):
    return panel(title, description, unit, [(query, legend)], width=width, kind='stat', height=4, thresholds=thresholds, decimals=decimals)


def dashboard(uid, title, description, variables, rows):
    panels, y, number = [], 0, 0
    for row_title, row_panels in rows:
        number += 1
        panels.append({'id': number, 'type': 'row', 'title': row_title, 'collapsed': False, 'panels': [],
                       'gridPos': {'h': 1, 'w': 24, 'x': 0, 'y': y}})
        y += 1
        x = tallest = 0
        for one in row_panels:
            if x + one['width'] > 24:
                x, y, tallest = 0, y + tallest, 0
            number += 1
            panels.append(panel_json(number, one, x, y))
            x, tallest = x + one['width'], max(tallest, one['height'])
        y += tallest
    return {
        'uid': uid, 'title': title, 'description': description, 'tags': ['signalbox'], 'schemaVersion': SCHEMA_VERSION, 'version': 1,
        'editable': True, 'graphTooltip': 1, 'refresh': '30s', 'time': {'from': 'now-3h', 'to': 'now'}, 'timepicker': {}, 'timezone': 'browser',
        'fiscalYearStartMonth': 0, 'liveNow': False, 'weekStart': '', 'id': None,
        'annotations': {'list': [restarts_annotation()]},
        'links': [{'type': 'dashboards', 'title': 'Signalbox', 'tags': ['signalbox'], 'asDropdown': True, 'includeVars': True, 'keepTime': True,
                   'targetBlank': False, 'icon': 'external link', 'tooltip': '', 'url': ''}],
        'templating': {'list': [datasource_variable(), *variables]},
        'panels': panels,
    }


def panel_json(number, one, x, y):
    defaults = {'unit': one['unit'], 'mappings': [],
                'thresholds': {'mode': 'absolute', 'steps': one['thresholds'] or [{'color': 'green', 'value': None}]}}
    if one['maximum'] is not None:
        defaults['max'] = one['maximum']
    if one['decimals'] is not None:
        defaults['decimals'] = one['decimals']
    out = {
        'id': number, 'type': one['kind'], 'title': one['title'], 'description': one['description'], 'datasource': DATASOURCE,
        'gridPos': {'h': one['height'], 'w': one['width'], 'x': x, 'y': y},
        'fieldConfig': {'defaults': defaults, 'overrides': []},
        'targets': [target(i, query, legend, one) for i, (query, legend) in enumerate(one['queries'])],
    }
    if one['kind'] == 'timeseries':
        defaults['min'] = 0
        defaults['color'] = {'mode': 'palette-classic'}
        defaults['custom'] = {'drawStyle': 'line', 'lineWidth': 1, 'fillOpacity': 25 if one['stack'] else 5, 'showPoints': 'never', 'spanNulls': False,
                              'stacking': {'mode': 'normal' if one['stack'] else 'none', 'group': 'A'}}
        out['options'] = {'legend': {'displayMode': 'list', 'placement': 'bottom', 'showLegend': True, 'calcs': []},
                          'tooltip': {'mode': 'multi', 'sort': 'desc'}}
    elif one['kind'] == 'stat':
        defaults['color'] = {'mode': 'thresholds'}
        out['options'] = {'reduceOptions': {'calcs': ['lastNotNull'], 'fields': '', 'values': False}, 'colorMode': 'value', 'graphMode': 'area',
                          'justifyMode': 'auto', 'orientation': 'auto', 'textMode': 'auto', 'wideLayout': True, 'showPercentChange': False,
                          'percentChangeColorMode': 'standard'}
    elif one['kind'] == 'table':
        out['options'] = {'showHeader': True, 'cellHeight': 'sm', 'footer': {'show': False, 'reducer': ['sum']}, 'frameIndex': 0}
        out['transformations'] = [{'id': 'organize', 'options': {'excludeByName': {'Time': True}, 'indexByName': {}, 'renameByName': {}}}]
    return out


def target(index, query, legend, one):
    out = {'refId': chr(ord('A') + index), 'datasource': DATASOURCE, 'editorMode': 'code', 'expr': query.replace('{@', '{' + SELECTOR),
           'legendFormat': legend or '__auto', 'instant': one['instant'], 'range': not one['instant']}
    if one['kind'] == 'table':
        out['format'] = 'table'
    return out


def restarts_annotation():
    query = 'changes(process_start_time_seconds{@}[2m]) > 0 and on (job, instance) signalbox_host_build_info{@}'
    return {'name': 'Restarts', 'enable': True, 'hide': False, 'iconColor': 'orange', 'datasource': DATASOURCE, 'titleFormat': 'Restart',
            'textFormat': '{{pod}} {{instance}}', 'expr': query.replace('{@', '{' + SELECTOR), 'step': '60s'}


def datasource_variable():
    return {'name': 'datasource', 'label': 'Data source', 'type': 'datasource', 'query': 'prometheus', 'regex': '', 'hide': 0, 'multi': False,
            'includeAll': False, 'options': [], 'refresh': 1, 'skipUrlSync': False}


def variable(name, label, query, multi=True, regex=''):
    out = {'name': name, 'label': label, 'type': 'query', 'datasource': DATASOURCE, 'definition': query, 'regex': regex, 'hide': 0,
           'query': {'qryType': 1, 'query': query, 'refId': 'PrometheusVariableQueryEditor-VariableQuery'},
           'multi': multi, 'includeAll': multi, 'options': [], 'refresh': 2, 'sort': 1, 'skipUrlSync': False}
    if multi:
        out.update(allValue='.*', current={'selected': True, 'text': ['All'], 'value': ['$__all']})
    return out


def steps(*pairs):
    """Thresholds: steps('green', (0.8, 'orange'))"""
    base, *rest = pairs
    return [{'color': base, 'value': None}] + [{'color': color, 'value': value} for value, color in rest]
