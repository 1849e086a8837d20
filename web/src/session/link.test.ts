import { expect, test } from 'vitest';
import { extension, iceServers, parseLinks } from './link';

const HEADER =
  '</whep/sessions/1/events>; rel="urn:x:sse"; events="active,inactive", <turn:host:3478?transport=udp>; rel="ice-server"; username="u,1"; credential="p;\\"q"; credential-type="password", <stun:host>; rel=ice-server';

test('links with commas inside quotes are read whole', () => {
  const links = parseLinks(HEADER);
  expect(links).toHaveLength(3);
  expect(extension(links, 'urn:x:sse')).toBe('/whep/sessions/1/events');
  expect(extension(links, 'urn:x:other')).toBeNull();
});

test('ice servers keep their credentials', () => {
  expect(iceServers(parseLinks(HEADER))).toEqual([
    { urls: 'turn:host:3478?transport=udp', username: 'u,1', credential: 'p;"q' },
    { urls: 'stun:host' },
  ]);
});

test('a missing or broken header gives no links', () => {
  expect(parseLinks(null)).toEqual([]);
  expect(parseLinks('rubbish, more; rel="x"')).toEqual([]);
});
