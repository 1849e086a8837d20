import { expect, test } from 'vitest';
import { applyRestart, restartFragment } from './fragment';

const OFFER = [
  'v=0',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=ice-ufrag:new1',
  'a=ice-pwd:newpassword',
  'a=mid:0',
  'a=candidate:1 1 udp 1 192.0.2.1 5000 typ host',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=ice-ufrag:new1',
  'a=ice-pwd:newpassword',
  'a=mid:1',
  '',
].join('\r\n');

const ANSWER = [
  'v=0',
  'a=ice-lite',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=ice-ufrag:old',
  'a=ice-pwd:oldpassword',
  'a=candidate:1 1 udp 1 127.0.0.1 8189 typ host ufrag old',
  'a=mid:0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=ice-ufrag:old',
  'a=ice-pwd:oldpassword',
  'a=mid:1',
  '',
].join('\r\n');

test('the fragment names credentials, one m-line with its mid, and the candidates', () => {
  expect(restartFragment(OFFER).split('\r\n')).toEqual([
    'a=ice-ufrag:new1',
    'a=ice-pwd:newpassword',
    'm=video 9 UDP/TLS/RTP/SAVPF 96',
    'a=mid:0',
    'a=candidate:1 1 udp 1 192.0.2.1 5000 typ host',
    '',
  ]);
});

test('an offer without credentials is refused', () => {
  expect(() => restartFragment('v=0\r\n')).toThrow();
});

test('the answer gets new credentials in every m-line and candidates of no generation', () => {
  const fragment =
    'a=ice-lite\r\na=ice-ufrag:srv\r\na=ice-pwd:srvpassword\r\nm=video 9 X 0\r\na=mid:0\r\na=candidate:1 1 udp 1 127.0.0.1 8190 typ host ufrag srv\r\n';
  const applied = applyRestart(ANSWER, fragment);
  expect(applied).not.toMatch(/old|8189| ufrag /);
  expect(applied.match(/a=ice-ufrag:srv/g)).toHaveLength(2);
  expect(applied.match(/a=ice-pwd:srvpassword/g)).toHaveLength(2);
  expect(applied.match(/a=candidate:/g)).toHaveLength(1);
  expect(applied.indexOf('a=candidate')).toBeGreaterThan(applied.indexOf('m=video'));
  expect(applied.indexOf('a=candidate')).toBeLessThan(applied.indexOf('m=audio'));
});

test('without candidates in the fragment the old ones stay, stripped of their generation', () => {
  const applied = applyRestart(ANSWER, 'a=ice-ufrag:srv\r\na=ice-pwd:srvpassword\r\n');
  expect(applied).toContain('127.0.0.1 8189 typ host\r\n');
});
