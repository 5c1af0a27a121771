"""What a scenario's load came to: failures that nothing excuses, latencies, and whether the store's books agree."""
import collections
import time

PATIENCE = 3  # seconds to the first content; providers here take at most one


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def during(record, since, until):
    """The request was under way at some time of the interval."""
    return record['start'] <= until and record['start'] + record['took'] >= since


class Verdict:
    def __init__(self, world, records, began, took, before):
        self.world, self.records, self.began, self.took, self.before = world, records, began, took, before
        self.problems = []
        self.lines = []

    def note(self, text):
        self.lines.append(text)

    def fail(self, text):
        self.problems.append(text)

    def of(self, kind):
        return [r for r in self.records if r['kind'] == kind]

    def failures(self):
        return [r for r in self.records if r['outcome'] != 'ok']

    def traffic(self, least, patience=PATIENCE):
        """Prints what ran. Too little of it proves nothing; a first token later than `patience` seconds is as good as a failure."""
        for kind, what in (('whole', 'whole answers'), ('stream', 'streams')):
            records = self.of(kind)
            outcomes = collections.Counter(r['outcome'] for r in records)
            fine = [r for r in records if r['outcome'] == 'ok']
            text = f'{what}: {len(records)} ({len(records) / self.took:.1f}/s), ' + ', '.join(f'{k} {v}' for k, v in sorted(outcomes.items()))
            if fine:
                first = [r['first'] for r in fine]
                text += f'; first content p50 {percentile(first, 0.5):.2f} s, p99 {percentile(first, 0.99):.2f} s, longest {max(first):.2f} s'
                slow = sorted((r['first'], r['start'], r['address']) for r in fine if r['first'] > 1.5)[-3:]
                if slow:
                    text += '; slowest began ' + ', '.join(f'{start - self.began:.1f} s in ({took:.1f} s, {address})' for took, start, address in slow)
                if max(first) > patience:
                    self.fail(f'{sum(1 for f in first if f > patience)} {what} had no content for more than {patience:g} s, the worst for {max(first):.1f} s')
            if kind == 'stream' and fine:
                text += f'; longest stream {max(r["took"] for r in fine):.1f} s'
            self.note(text)
        closing = sum(1 for r in self.records if r.get('closing'))
        dropped = sum(r.get('dropped', 0) for r in self.records)
        self.note(f'connections left because the answer said Connection: close: {closing}; idle ones that were found closed: {dropped}')
        fine = len(self.records) - len(self.failures())
        if fine < least:
            self.fail(f'only {fine} requests were answered, {least} are the least that proves anything')

    def excuse(self, excused=lambda record: None):
        """Every failure without an excuse is a problem. `excused` returns the name of the excuse or None."""
        names, unexcused = collections.Counter(), []
        for record in self.failures():
            name = excused(record)
            if name:
                names[name] += 1
            else:
                unexcused.append(record)
        for name, number in sorted(names.items()):
            self.note(f'allowed: {name}: {number}')
        if unexcused:
            self.fail(f'{len(unexcused)} of {len(self.records)} requests failed')
            for record in unexcused[:8]:
                self.fail('  ' + ' '.join(f'{k}={v}' for k, v in record.items()))

    def goodbyes(self):
        """Whoever asks a draining ingress during its notice is told to leave the connection."""
        notice = self.world.args.drain_notice
        asked = told = 0
        for component, address, at in self.world.goodbyes:
            if component != 'ingress':
                continue
            inside = [r for r in self.records if r.get('address') == address and r['outcome'] == 'ok' and at + 0.3 <= r['start'] <= at + notice - 0.3]
            asked += len(inside)
            told += sum(1 for r in inside if r.get('closing'))
        self.note(f'requests to a draining ingress within its notice: {asked}, answered with Connection: close: {told}')
        if asked == 0 or told < asked:
            self.fail('a draining ingress must answer with Connection: close' if asked else 'nobody asked a draining ingress')

    def books(self, exact=True, lost_excused=lambda record: False):
        """Every answered request has its generation record; with `exact`, its cost was charged once and nothing else was."""
        fine = [r for r in self.records if r['outcome'] == 'ok']
        ids = [r['id'] for r in fine]
        if len(set(ids)) != len(ids) or not all(ids):
            self.fail('answers without a generation id, or with one that was used twice')
        end = time.monotonic() + 20
        missing = self.world.missing_generations(ids)
        while missing and time.monotonic() < end:
            time.sleep(0.25)
            missing = self.world.missing_generations(missing)
        gone = set(missing)
        lost = [r for r in fine if r['id'] in gone and not lost_excused(r)]
        if lost:
            self.fail(f'{len(lost)} of {len(fine)} answered requests have no generation record, first: {lost[0]}')
        number, nano = self.world.settled()
        number, nano = number - self.before[0], nano - self.before[1]
        answered = sum(r['nano'] for r in fine)
        self.note(f'books: {len(fine)} answered, {len(fine) - len(gone)} with a record, {number} charged; '
                  f'{answered} nano-USD on the answers, {nano} charged')
        if gone and not lost:
            self.note(f'allowed: records that a killed ingress took with it: {len(gone)}')
        if exact and (number, nano) != (len(fine), answered):
            self.fail('charged is not what was answered')
