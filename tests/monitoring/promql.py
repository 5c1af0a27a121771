"""PromQL, as far as it takes to say which series an expression reads and which labels its result can have.

  labels = promql.check(text, known)   # known: metric name -> Metric; raises Wrong with what is wrong

A reader for our own rules and dashboards, not a validator: promtool is that. What it adds: every metric exists, every label
that is matched, grouped or joined by exists on what it is applied to, counters are read through rate() and the like.
"""
import re
from dataclasses import dataclass, field

# What a scrape adds to every series: the first two always, the others in Kubernetes. Nothing else may be relied on.
TARGET_LABELS = frozenset({'job', 'instance', 'namespace', 'pod'})

COUNTER_FUNCTIONS = {'rate', 'irate', 'increase', 'resets'}
AGGREGATIONS = {'sum', 'min', 'max', 'avg', 'count', 'group', 'topk', 'bottomk', 'quantile', 'stddev', 'count_values'}
KEEPS_SERIES = {'topk', 'bottomk'}
SET_OPERATORS = {'and', 'or', 'unless'}
PRECEDENCE = {'or': 1, 'and': 2, 'unless': 2, '==': 3, '!=': 3, '<=': 3, '<': 3, '>=': 3, '>': 3,
              '+': 4, '-': 4, '*': 5, '/': 5, '%': 5, '^': 6}
TOKEN = re.compile(r'''\s*(?:
    (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*') |
    (?P<duration>\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*) |
    (?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?) |
    (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*) |
    (?P<op>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}\[\],:@])
)''', re.X)


class Wrong(Exception):
    pass


@dataclass(frozen=True)
class Metric:
    type: str  # counter, gauge, histogram; recorded = result of a recording rule
    labels: frozenset = field(default_factory=frozenset)


@dataclass
class Result:
    labels: frozenset      # that series of the result may have
    raw_counter: str = ''  # the name, where the expression still is a counter
    is_number: bool = False


def tokens(text):
    out, at = [], 0
    text = re.sub(r'#.*', '', text).rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise Wrong(f'cannot read {text[at:at + 30]!r}')
        out.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return out + [('end', '')]


class Reader:
    def __init__(self, text, known):
        self.known, self.tokens, self.at = known, tokens(text), 0

    def peek(self):
        return self.tokens[self.at][1]

    def kind(self):
        return self.tokens[self.at][0]

    def take(self, wanted=None):
        kind, text = self.tokens[self.at]
        if wanted is not None and (text != wanted or kind == 'string'):
            raise Wrong(f'{wanted!r} expected, found {text!r}')
        self.at += 1
        return text

    def names(self):
        """( a, b )"""
        self.take('(')
        out = []
        while self.peek() != ')':
            out.append(self.take())
            if self.peek() == ',':
                self.take()
        self.take(')')
        return out

    def expression(self, least=1):
        left = self.unary()
        while self.kind() != 'string' and PRECEDENCE.get(self.peek(), 0) >= least:
            operator = self.take()
            left = self.binary(left, operator)
        return left

    def binary(self, left, operator):
        if self.peek() == 'bool':
            self.take()
        matching = extra = None
        if self.peek() in ('on', 'ignoring'):
            how, matching = self.take(), self.names()
        if self.peek() in ('group_left', 'group_right'):
            side = self.take()
            extra = self.names() if self.peek() == '(' else []
        start = self.at
        right = self.expression(PRECEDENCE[operator] + (operator != '^'))
        above_zero = operator == '>' and self.tokens[start:self.at] == [('number', '0')]  # "has ever counted" is a fair question
        for one in (left, right):
            if one.raw_counter and operator not in SET_OPERATORS and not above_zero:
                raise Wrong(f'{one.raw_counter} is a counter: use rate() or increase()')
        if matching is not None and how == 'on':
            for label in matching:
                for one in (left, right):
                    if label not in one.labels:
                        raise Wrong(f'on ({label}): only one side has it')
        if left.is_number or right.is_number:
            return Result(left.labels | right.labels, is_number=left.is_number and right.is_number)
        if operator == 'or':
            return Result(left.labels | right.labels, left.raw_counter)
        if operator in SET_OPERATORS:
            return Result(left.labels, left.raw_counter)
        if extra is not None:
            many, one = (left, right) if side == 'group_left' else (right, left)
            for label in extra:
                if label not in one.labels:
                    raise Wrong(f'{side} ({label}): the other side has no such label')
            return Result(many.labels | set(extra))
        if matching is None:
            return Result(left.labels & right.labels)
        return Result(frozenset(matching) if how == 'on' else left.labels - set(matching))

    def unary(self):
        if self.peek() == '-' and self.kind() == 'op':
            self.take()
            return self.unary()
        return self.postfix(self.primary())

    def postfix(self, inner):
        while True:
            if self.kind() == 'op' and self.peek() == '[':
                while self.take() != ']':
                    pass
            elif self.kind() == 'name' and self.peek() == 'offset':
                self.take()
                self.take()
            else:
                return inner

    def primary(self):
        kind, text = self.tokens[self.at]
        if kind == 'op' and text == '(':
            self.take()
            inner = self.expression()
            self.take(')')
            return inner
        if kind in ('number', 'string', 'duration'):
            self.take()
            return Result(frozenset(), is_number=True)
        if kind == 'op' and text == '{':
            raise Wrong('a selector needs a metric name')
        if kind != 'name':
            raise Wrong(f'unexpected {text or "end"!r}')
        self.take()
        if text in AGGREGATIONS:
            return self.aggregation(text)
        if self.peek() == '(' and self.kind() == 'op':
            return self.call(text)
        return self.selector(text)

    def aggregation(self, name):
        grouping = None
        if self.peek() in ('by', 'without'):
            grouping = (self.take(), self.names())
        arguments, _ = self.arguments()
        if grouping is None and self.peek() in ('by', 'without'):
            grouping = (self.take(), self.names())
        inner = arguments[-1]
        if inner.raw_counter and name not in ('count', 'group'):
            raise Wrong(f'{inner.raw_counter} is a counter: use rate() or increase()')
        kept = frozenset()
        if grouping is not None:
            how, labels = grouping
            for label in labels:
                if label not in inner.labels:
                    raise Wrong(f'{name} {how} ({label}): there is no such label, only {" ".join(sorted(inner.labels))}')
            kept = frozenset(labels) if how == 'by' else inner.labels - set(labels)
        return Result(inner.labels if name in KEEPS_SERIES else kept)

    def arguments(self):
        """What they result in, and the first word of each."""
        self.take('(')
        out, words = [], []
        while self.peek() != ')' or self.kind() == 'string':
            words.append(self.peek().strip('"\''))
            out.append(self.expression())
            if self.peek() == ',':
                self.take()
        self.take(')')
        return out, words

    def call(self, name):
        arguments, texts = self.arguments()
        if name in ('time', 'vector', 'scalar', 'month', 'hour'):
            return Result(frozenset(), is_number=name != 'vector')
        inner = next((a for a in arguments if not a.is_number), Result(frozenset()))
        if name in COUNTER_FUNCTIONS:
            if not inner.raw_counter:
                raise Wrong(f'{name}() of something that is not a counter')
            return Result(inner.labels)
        if name == 'histogram_quantile':
            if 'le' not in inner.labels:
                raise Wrong('histogram_quantile() of something without le')
            return Result(inner.labels - {'le'})
        if name == 'label_replace':
            if texts[3] not in inner.labels:
                raise Wrong(f'label_replace from {texts[3]}: there is no such label')
            return Result(inner.labels | {texts[1]}, inner.raw_counter)
        if name == 'label_join':
            return Result(inner.labels | {texts[1]}, inner.raw_counter)
        if inner.raw_counter and name not in ('absent', 'absent_over_time', 'last_over_time', 'present_over_time', 'timestamp'):
            raise Wrong(f'{inner.raw_counter} is a counter: {name}() of it means nothing')
        return Result(inner.labels, inner.raw_counter if name == 'last_over_time' else '')

    def selector(self, name):
        metric, labels, counter = self.find(name)
        if self.kind() == 'op' and self.peek() == '{':
            self.take()
            while self.peek() != '}':
                label, operator, value = self.take(), self.take(), self.take()
                if operator not in ('=', '!=', '=~', '!~') or value[:1] not in '"\'':
                    raise Wrong(f'{name}{{{label}{operator}{value}: not a matcher')
                if label not in labels:
                    raise Wrong(f'{name} has no label {label}, only {" ".join(sorted(metric.labels)) or "none"}')
                if self.peek() == ',':
                    self.take()
            self.take('}')
        return Result(labels, name if counter else '')

    def find(self, name):
        metric = self.known.get(name)
        if metric is not None and metric.type != 'histogram':
            added = frozenset() if metric.type == 'recorded' else TARGET_LABELS
            return metric, metric.labels | added, metric.type == 'counter'
        for suffix in ('_bucket', '_sum', '_count'):
            base = self.known.get(name[:-len(suffix)]) if name.endswith(suffix) else None
            if base is not None and base.type == 'histogram':
                return base, base.labels | TARGET_LABELS | ({'le'} if suffix == '_bucket' else set()), True
        raise Wrong(f'there is no metric {name}' + (' (a histogram: _bucket, _sum or _count)' if metric else ''))


def check(text, known):
    """The labels that series of the result may have; raises Wrong."""
    reader = Reader(text, known)
    result = reader.expression()
    if reader.kind() != 'end':
        raise Wrong(f'unexpected {reader.peek()!r}')
    if result.raw_counter:
        raise Wrong(f'{result.raw_counter} is a counter: use rate() or increase()')
    return result.labels
