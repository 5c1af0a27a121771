// values.yaml with its comments → the schema and the tables of the chart's README. The comment above a key is its description; lines of it that begin
// with a tag say what the default value does not show:
//   @enum a b      one of these ("" = empty)          @like path     the same keys as there
//   @duration      90s, 10m, 6h                        @without a b   … but these
//   @quantity      8Gi, 500m                           @pattern re    a text like this
//   @port          1 to 65535                          @min n         a number from n
//   @type a b      JSON types, instead of the default's
//   @map           text → text                         @open          anything beneath
//   @items string|port|open|any                        of a list
import { parse } from 'yaml';

const DURATION = '^[0-9]+(ms|s|m|h)$';
const QUANTITY = '^[0-9]+(\\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$';
const TEXT_MAP = { type: 'object', additionalProperties: { type: 'string' } };
const ITEMS = {
  string: { type: 'string' },
  port: { type: 'integer', minimum: 1, maximum: 65535 },
  open: { type: 'object' },
  any: { type: ['object', 'string'] },
};

// {sections: [{title, keys}], entries: path → {path, text, tags, value, children}} in the order of the file.
export function readValues(text) {
  const values = parse(text);
  const entries = new Map();
  const stack = [];
  let section = '';
  let comment = [];
  for (const line of text.split('\n')) {
    const heading = /^## (.*)$/.exec(line);
    const remark = /^\s*# ?(.*)$/.exec(line);
    const key = /^(\s*)([A-Za-z][A-Za-z0-9_.\/-]*):(?: |$)/.exec(line);
    if (heading) {
      section = heading[1];
      comment = [];
    } else if (remark) {
      comment.push(remark[1]);
    } else if (line.trim() === '') {
      comment = [];
    } else if (key) {
      const indent = key[1].length;
      while (stack.length && stack.at(-1).indent >= indent) stack.pop();
      const parent = stack.at(-1);
      const path = [...(parent ? parent.path : []), key[2]];
      stack.push({ indent, path });
      const inside = parent && entries.get(parent.path.join('.'));
      if (!parent || (inside && !isLeaf(inside))) {
        entries.set(path.join('.'), entryOf(path, section, comment, valueAt(values, path)));
        if (inside) inside.children.push(path.join('.'));
      }
      comment = [];
    } else {
      comment = [];
    }
  }
  return { values, entries };
}

function valueAt(values, path) {
  return path.reduce((node, name) => node?.[name], values);
}

function entryOf(path, section, comment, value) {
  const tags = {};
  const text = [];
  for (const line of comment) {
    const tag = /^@([a-z]+) ?(.*)$/.exec(line);
    if (tag) tags[tag[1]] = tag[2];
    else text.push(line);
  }
  return { path: path.join('.'), section, text: text.join(' '), tags, value, children: [] };
}

// What is beneath is the user's, or described elsewhere.
function isLeaf(entry) {
  const { tags } = entry;
  return 'open' in tags || 'map' in tags || 'items' in tags || entry.value === null || typeof entry.value !== 'object' || Array.isArray(entry.value);
}

function words(text) {
  return text.split(/\s+/).filter(Boolean).map((word) => (word === '""' ? '' : word));
}

function scalarSchema({ path, tags, value }) {
  if ('enum' in tags) return { type: 'string', enum: words(tags.enum) };
  if ('duration' in tags) return { type: 'string', pattern: DURATION };
  if ('quantity' in tags) return { type: ['string', 'integer'], pattern: QUANTITY };
  if ('port' in tags) return { type: 'integer', minimum: 1, maximum: 65535 };
  const types = 'type' in tags ? words(tags.type) : [{ string: 'string', boolean: 'boolean', number: 'integer' }[typeof value]];
  if (!types[0]) throw new Error(`values.yaml: ${path}: no type to be seen`);
  const schema = { type: types.length === 1 ? types[0] : types };
  if ('pattern' in tags) schema.pattern = tags.pattern;
  if ('min' in tags) schema.minimum = Number(tags.min);
  return schema;
}

function schemaOf(entry, entries) {
  const { tags, value } = entry;
  let schema;
  if ('like' in tags) {
    schema = structuredClone(schemaOf(entries.get(tags.like), entries));
    for (const name of words(tags.without ?? '')) delete schema.properties[name];
    for (const child of entry.children) {
      const own = entries.get(child);
      const name = child.slice(entry.path.length + 1);
      if (own.text || !schema.properties[name]) schema.properties[name] = schemaOf(own, entries);
    }
  } else if ('map' in tags) {
    schema = structuredClone(TEXT_MAP);
  } else if ('open' in tags) {
    schema = { type: 'object' };
  } else if (Array.isArray(value)) {
    const items = ITEMS[tags.items];
    if (!items) throw new Error(`values.yaml: ${entry.path}: @items is missing or unknown`);
    schema = { type: 'array', items };
  } else if (value !== null && typeof value === 'object') {
    schema = { type: 'object', additionalProperties: false, properties: {} };
    for (const child of entry.children) schema.properties[child.slice(entry.path.length + 1)] = schemaOf(entries.get(child), entries);
  } else {
    schema = scalarSchema(entry);
  }
  const description = entry.text.replaceAll('`', '');
  return description ? { description, ...schema } : schema;
}

export function schemaText(valuesText) {
  const { entries } = readValues(valuesText);
  const properties = {};
  for (const entry of entries.values()) {
    if (!entry.path.includes('.')) properties[entry.path] = schemaOf(entry, entries);
  }
  properties.global = { description: 'Values of a parent chart; not used.', type: 'object' };
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart signalbox',
    description: 'Written from the comments in values.yaml by tests/helm/run.sh --update.',
    type: 'object',
    additionalProperties: false,
    properties,
  };
  return JSON.stringify(schema, null, 2) + '\n';
}

// Keys without a description and a way to one.
export function undescribed(valuesText) {
  const { entries } = readValues(valuesText);
  const missing = [];
  const inLike = (path) => [...entries.values()].some((e) => 'like' in e.tags && path.startsWith(e.path + '.'));
  for (const entry of entries.values()) {
    const group = entry.children.length > 0 && !('like' in entry.tags);
    if (!group && !entry.text && !inLike(entry.path)) missing.push(entry.path);
  }
  return missing;
}

function cell(value) {
  const text = JSON.stringify(value);
  return text.length > 90 ? 'see values.yaml' : '`' + text.replaceAll('|', '\\|') + '`';
}

export function tables(valuesText) {
  const { entries } = readValues(valuesText);
  const sections = new Map();
  for (const entry of entries.values()) {
    const group = entry.children.length > 0 && !('like' in entry.tags);
    if (group || !entry.text) continue;
    if (!sections.has(entry.section)) sections.set(entry.section, []);
    const text = 'enum' in entry.tags ? `${entry.text} One of ${words(entry.tags.enum).map((w) => '`' + (w || '""') + '`').join(', ')}.` : entry.text;
    sections.get(entry.section).push(`| \`${entry.path}\` | ${cell(entry.value)} | ${text.replaceAll('|', '\\|')} |`);
  }
  const out = [];
  for (const [title, rows] of sections) out.push(`### ${title}\n\n| Key | Default | Meaning |\n|---|---|---|\n${rows.join('\n')}\n`);
  return out.join('\n');
}

const BEGIN = '<!-- values: written by tests/helm/run.sh --update from values.yaml -->';
const END = '<!-- end of values -->';

export function withTables(readme, valuesText) {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('README.md has no place for the tables of values');
  return `${readme.slice(0, begin)}${BEGIN}\n\n${tables(valuesText)}\n${readme.slice(end)}`;
}
