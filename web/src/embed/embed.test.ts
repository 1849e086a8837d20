import { expect, test } from 'vitest';
import { expectedOrigin, readCommand } from './bridge';
import { readAddress } from './query';

test('an address says what to play and how', () => {
  expect(readAddress('/embed/ada', '')).toEqual({
    channel: 'ada',
    video: null,
    autoplay: true,
    muted: true,
    controls: true,
    start: null,
    accent: null,
    origin: null,
  });
  const video = readAddress(
    '/embed/videos/0189/',
    '?autoplay=0&muted=no&controls=off&t=1m&origin=https://a.example',
  );
  expect(video).toMatchObject({
    channel: null,
    video: '0189',
    autoplay: false,
    muted: false,
    controls: false,
  });
  expect(video).toMatchObject({ start: '1m', origin: 'https://a.example' });
  for (const nothing of ['/embed/', '/embed/a/b', '/embed/%ff', '/@ada']) {
    const { channel, video } = readAddress(nothing, '');
    expect([channel, video], nothing).toEqual([null, null]);
  }
});

test('only what is a command is obeyed', () => {
  expect(readCommand({ tallylight: 'play', value: 'more' })).toEqual({ tallylight: 'play' });
  expect(readCommand({ tallylight: 'seek', value: 12.5 })).toEqual({ tallylight: 'seek', value: 12.5 });
  expect(readCommand({ tallylight: 'quality', value: null })).toEqual({ tallylight: 'quality', value: null });
  for (const other of [
    null,
    'play',
    [],
    {},
    { tallylight: 'eval', value: '1' },
    { tallylight: 'seek', value: '12' },
    { tallylight: 'seek', value: Number.NaN },
    { tallylight: 'quality', value: 7 },
    { tallylight: 'constructor' },
  ]) {
    expect(readCommand(other), JSON.stringify(other)).toBeNull();
  }
});

test('the page around is the one that was named, or that the browser names', () => {
  expect(expectedOrigin('https://a.example', ['https://b.example'])).toBe('https://a.example');
  expect(expectedOrigin(null, ['https://b.example', 'https://c.example'])).toBe('https://b.example');
  expect(expectedOrigin(null, undefined)).toBeNull();
  expect(expectedOrigin(null, ['null'])).toBeNull();
});
