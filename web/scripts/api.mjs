// Writes src/api/schema.ts from the server's OpenAPI: the JSON API alone, for WHIP and WHEP are spoken
// by src/session. With --check it writes nothing and fails when the file is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript';

const source = new URL('../../docs/openapi.json', import.meta.url);
const target = new URL('../src/api/schema.ts', import.meta.url);

const spec = JSON.parse(readFileSync(source, 'utf8'));
spec.paths = Object.fromEntries(Object.entries(spec.paths).filter(([path]) => path.startsWith('/api/')));
for (const operations of Object.values(spec.paths)) {
  for (const operation of Object.values(operations)) delete operation.operationId;
}
// Words may be polished without a new client; shapes may not change without one.
const shapes = JSON.parse(JSON.stringify(spec, (key, value) => (isWords(key, value) ? undefined : value)));
const generated = COMMENT_HEADER + astToString(await openapiTS(shapes));

function isWords(key, value) {
  return (key === 'description' || key === 'summary') && typeof value === 'string';
}

if (!process.argv.includes('--check')) {
  writeFileSync(target, generated);
} else if (readFileSync(target, 'utf8') !== generated) {
  console.error('src/api/schema.ts is not what docs/openapi.json says: run `npm run api`.');
  process.exit(1);
}
