"""Reads docs/metrics.md, the golden list of metrics."""
import re
from dataclasses import dataclass

PROCESSES = ('ingress', 'router-decision', 'provider-adapter', 'metrics-aggregator')


@dataclass
class Row:
    name: str
    type: str
    labels: tuple
    processes: tuple
    meaning: str


def read(path):
    rows = []
    for number, line in enumerate(open(path, encoding='utf-8'), 1):
        if not line.startswith('| `'):
            continue
        cells = [c.strip() for c in line.strip().strip('|').split('|')]
        if len(cells) != 5:
            raise ValueError(f'{path}:{number}: 5 cells expected')
        words = lambda cell: tuple(re.findall(r'`([^`]+)`', cell))
        (name,), (kind, labels, where) = words(cells[0]), cells[1:4]
        rows.append(Row(name, kind, words(labels), PROCESSES if where == 'all' else tuple(where.split()), cells[4]))
    return rows
