/** Prints TypeScript for the schemas in the OpenAPI or AsyncAPI document on standard input. Run by ./types. */

import openapiTS, { astToString } from 'openapi-typescript';

let text = '';
for await (const part of process.stdin) {
  text += part;
}
const { paths = {}, components } = JSON.parse(text);

/** What only answers hold is always there in full: a default says what it is otherwise, not that it may be absent. */
const asked = new Set();
function ask(node) {
  for (const [key, value] of Object.entries(node ?? {})) {
    const name = key === '$ref' ? value.split('/').at(-1) : null;
    if (name !== null && !asked.has(name)) {
      asked.add(name);
      ask(components.schemas[name]);
    } else if (typeof value === 'object') {
      ask(value);
    }
  }
}
const operations = Object.values(paths).flatMap((path) => Object.values(path));
operations.forEach(({ requestBody }) => ask(requestBody));

function plain(node) {
  if (typeof node !== 'object' || node === null) {
    return node;
  }
  if (Array.isArray(node)) {
    return node.map(plain);
  }
  const kept = Object.entries(node).filter(([key, value]) => !(['title', 'examples'].includes(key) && typeof value !== 'object') && key !== 'examples');
  return Object.fromEntries(kept.map(([key, value]) => [key, plain(value)]));
}

const schemas = Object.fromEntries(
  Object.entries(components.schemas).map(([name, schema]) => {
    const shown = plain(schema);
    const inFull = operations.length > 0 && !asked.has(name) && shown.properties;
    return [name, inFull ? { ...shown, required: Object.keys(shown.properties) } : shown];
  }),
);
const nodes = await openapiTS(
  { openapi: '3.1.0', info: { title: '', version: '' }, paths: {}, components: { schemas } },
  { alphabetize: true, exportType: true, rootTypes: true, rootTypesNoSchemaPrefix: true },
);
const types = astToString(nodes).replace(/^export type (paths|webhooks|operations|\$defs) = .*;\n/gm, '');
process.stdout.write(`/** Written by ./types, from what the services say of themselves. */\n\n${types}`);
