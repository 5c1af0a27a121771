// The schema and the tables of the README are those of values.yaml.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHART, golden } from './chart.mjs';
import { schemaText, undescribed, withTables } from './describe.mjs';

const values = readFileSync(join(CHART, 'values.yaml'), 'utf8');

test('every value is described', () => assert.deepEqual(undescribed(values), []));
test('values.schema.json is in step with values.yaml', () => golden(join(CHART, 'values.schema.json'), schemaText(values)));
test('README.md is in step with values.yaml', () => {
  const path = join(CHART, 'README.md');
  golden(path, withTables(readFileSync(path, 'utf8'), values));
});

test('the schema is closed but for what is passed through', () => {
  const open = [];
  const walk = (schema, path) => {
    if (schema.type === 'object' && schema.additionalProperties !== false && !schema.additionalProperties?.type) open.push(path.join('.'));
    for (const [name, child] of Object.entries(schema.properties ?? {})) walk(child, [...path, name]);
  };
  walk(JSON.parse(schemaText(values)), []);
  const names = new Set(open.map((path) => path.split('.').at(-1)));
  assert.deepEqual([...names].sort(), ['affinity', 'behavior', 'config', 'dnsConfig', 'global', 'livenessProbe', 'podSecurityContext', 'readinessProbe', 'resources',
    'securityContext', 'startupProbe', 'timeouts']);
});
