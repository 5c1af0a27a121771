"""The reader finds what it is there to find."""
import unittest

from promql import Metric, Wrong, check

KNOWN = {
    'signalbox_x_total': Metric('counter', frozenset({'provider', 'outcome'})),
    'signalbox_depth': Metric('gauge', frozenset({'endpoint'})),
    'signalbox_wait_seconds': Metric('histogram', frozenset({'provider'})),
    'signalbox_info': Metric('gauge', frozenset({'version'})),
    'namespace:x:rate5m': Metric('recorded', frozenset({'namespace'})),
}
TARGET = {'job', 'instance', 'namespace', 'pod'}


class Labels(unittest.TestCase):
    def labels(self, text):
        return set(check(text, KNOWN))

    def test_of_results(self):
        self.assertEqual(self.labels('signalbox_depth'), TARGET | {'endpoint'})
        self.assertEqual(self.labels('sum(rate(signalbox_x_total{outcome=~"a|b"}[5m]))'), set())
        self.assertEqual(self.labels('sum by (provider) (rate(signalbox_x_total[5m]))'), {'provider'})
        self.assertEqual(self.labels('sum without (pod) (signalbox_depth)'), TARGET - {'pod'} | {'endpoint'})
        self.assertEqual(self.labels('topk(3, signalbox_depth > 1)'), TARGET | {'endpoint'})
        self.assertEqual(self.labels('histogram_quantile(0.9, sum by (le, provider) (rate(signalbox_wait_seconds_bucket[5m])))'), {'provider'})
        self.assertEqual(self.labels('rate(signalbox_wait_seconds_sum[1m]) / rate(signalbox_wait_seconds_count[1m])'), TARGET | {'provider'})
        self.assertEqual(self.labels('label_replace(signalbox_depth, "model", "$1", "endpoint", "(.*)@.*")'), TARGET | {'endpoint', 'model'})
        self.assertEqual(self.labels('signalbox_depth * on (job, instance) group_left (version) signalbox_info'), TARGET | {'endpoint', 'version'})
        self.assertEqual(self.labels('signalbox_depth and on (job) signalbox_info'), TARGET | {'endpoint'})
        self.assertEqual(self.labels('sum(signalbox_depth) or vector(0)'), set())
        self.assertEqual(self.labels('namespace:x:rate5m > 14.4 * 0.001 and namespace:x:rate5m offset 1h > 0'), {'namespace'})
        self.assertEqual(self.labels('max by (provider) (signalbox_x_total > 0)'), {'provider'})
        self.assertEqual(self.labels('max_over_time(signalbox_depth[5m:1m]) == 1 # why'), TARGET | {'endpoint'})

    def test_of_nothing(self):
        for text, why in {
            'signalbox_none': 'no metric',
            'signalbox_depth{model="x"}': 'no label model',
            'sum by (model) (signalbox_depth)': 'no such label',
            'sum by (service) (signalbox_depth)': 'no such label',
            'sum by (provider) (sum by (outcome) (rate(signalbox_x_total[5m])))': 'no such label',
            'signalbox_depth and on (version) signalbox_info': 'only one side',
            'signalbox_depth * on (job) group_left (provider) signalbox_info': 'no such label',
            'label_replace(signalbox_depth, "model", "$1", "nothing", "(.*)")': 'no such label',
            'namespace:x:rate5m{pod="a"}': 'no label pod',
        }.items():
            with self.subTest(text), self.assertRaisesRegex(Wrong, why):
                check(text, KNOWN)


class Types(unittest.TestCase):
    def test_counters_and_histograms(self):
        for text, why in {
            'signalbox_x_total': 'is a counter',
            'sum(signalbox_x_total)': 'is a counter',
            'signalbox_x_total > 5': 'is a counter',
            'max_over_time(signalbox_x_total[5m])': 'is a counter',
            'rate(signalbox_depth[5m])': 'not a counter',
            'signalbox_wait_seconds': 'a histogram',
            'histogram_quantile(0.9, rate(signalbox_wait_seconds_sum[5m]))': 'without le',
            'signalbox_depth signalbox_depth': 'unexpected',
            '{job="x"}': 'needs a metric name',
        }.items():
            with self.subTest(text), self.assertRaisesRegex(Wrong, why):
                check(text, KNOWN)


if __name__ == '__main__':
    unittest.main()
