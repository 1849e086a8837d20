// Holds the sizes that a viewer on a phone pays for; run after every build.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'));
const FIRST_LOAD_KB = 180;
const WATCH_KB = 60;
/** hls.js with alternate audio, which its light build lacks: for whoever falls back or rewinds. */
const HLS_KB = 200;
/** All that the page for frames loads before it plays, and what `player.js` brings to another site. */
const EMBED_KB = 50;

function closure(key, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const next of manifest[key].imports ?? []) closure(next, seen);
  return seen;
}

function gzipKb(keys) {
  const files = new Set();
  for (const key of keys) {
    files.add(manifest[key].file);
    for (const css of manifest[key].css ?? []) files.add(css);
  }
  let bytes = 0;
  for (const file of files) bytes += gzipSync(readFileSync(new URL(file, dist))).length;
  return bytes / 1000;
}

const first = new Set([...closure('index.html'), ...closure('src/app.tsx')]);
const watch = [...closure('src/routes/watch/page.tsx')].filter((key) => !first.has(key));
const hls = [...closure('node_modules/hls.js/dist/hls.mjs')].filter((key) => !first.has(key));
const embed = closure('embed.html');
const element = closure('src/player_script.ts');
const rows = [
  ['first load', gzipKb(first), FIRST_LOAD_KB],
  ['watch chunk', gzipKb(watch), WATCH_KB],
  ['HLS library', gzipKb(hls), HLS_KB],
  ['page for frames', gzipKb(embed), EMBED_KB],
  ['player.js', gzipKb(element), EMBED_KB],
];
for (const [name, size, limit] of rows) {
  console.log(`${name}: ${size.toFixed(1)} kB gzip (limit ${limit})`);
}
if (rows.some(([, size, limit]) => size > limit)) {
  console.error('A page grew over its limit: load the new part only where it is used.');
  process.exit(1);
}
