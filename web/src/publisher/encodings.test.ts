import { expect, test } from 'vitest';
import {
  AUDIO_BITRATE,
  bitrateWithin,
  encodingsFor,
  orderCodecs,
  QUALITIES,
  qualityById,
  totalBitrate,
  withStartBitrate,
} from './encodings';

test('720 lines make three layers, smallest first, of falling bitrates', () => {
  const encodings = encodingsFor(720, 30, 2_500_000);
  expect(encodings.map(({ rid }) => rid)).toEqual(['l', 'm', 'h']);
  expect(encodings.map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)).toEqual([4, 2, 1]);
  expect(encodings[2]?.maxBitrate).toBe(2_500_000);
  const rates = encodings.map(({ maxBitrate }) => maxBitrate ?? 0);
  expect(rates).toEqual([...rates].sort((a, b) => a - b));
  expect(totalBitrate(encodings)).toBeGreaterThan(2_500_000);
});

test('small pictures make fewer layers, and one layer has no rid', () => {
  expect(encodingsFor(480, 30, 1_200_000).map(({ rid }) => rid)).toEqual(['m', 'h']);
  expect(encodingsFor(180, 30, 300_000)).toHaveLength(1);
  expect(encodingsFor(720, 30, 2_500_000, { simulcast: false })[0]).not.toHaveProperty('rid');
});

test('what is set for a stream bounds layers and bitrate', () => {
  expect(encodingsFor(720, 30, 2_500_000, { most: 2 }).map(({ rid }) => rid)).toEqual(['m', 'h']);
  expect(encodingsFor(720, 30, 2_500_000, { most: null })).toHaveLength(3);
  const bitrate = bitrateWithin(2_000_000, 3);
  expect(totalBitrate(encodingsFor(720, 30, bitrate)) + AUDIO_BITRATE).toBeLessThanOrEqual(2_000_000);
});

test('codecs that prefer SVC are told to make layers', () => {
  expect(encodingsFor(720, 30, 2_500_000, { codec: 'VP9' })[0]).toHaveProperty('scalabilityMode', 'L1T1');
  expect(encodingsFor(720, 30, 2_500_000, { codec: 'H264' })[0]).not.toHaveProperty('scalabilityMode');
});

test('every quality has three rising bitrates and an unknown one becomes the default', () => {
  for (const { bitrates } of QUALITIES)
    expect(bitrates[0] < bitrates[1] && bitrates[1] < bitrates[2]).toBe(true);
  expect(qualityById('nonsense').id).toBe('720p30');
});

const CODECS = [
  { mimeType: 'video/VP8' },
  { mimeType: 'video/rtx' },
  { mimeType: 'video/H264', sdpFmtpLine: 'packetization-mode=0;profile-level-id=42e01f' },
  { mimeType: 'video/H264', sdpFmtpLine: 'packetization-mode=1;profile-level-id=42e01f' },
  { mimeType: 'video/AV1' },
  { mimeType: 'video/VP9' },
];

test('H264 with packetization mode 1 leads; repair comes last', () => {
  const order = orderCodecs(CODECS, null);
  expect(order[0]?.sdpFmtpLine).toContain('packetization-mode=1');
  expect(order.map(({ mimeType }) => mimeType)).toEqual([
    'video/H264',
    'video/H264',
    'video/VP8',
    'video/VP9',
    'video/AV1',
    'video/rtx',
  ]);
});

test('a chosen codec is offered alone, and one that is not there changes nothing', () => {
  expect(orderCodecs(CODECS, 'vp8').map(({ mimeType }) => mimeType)).toEqual(['video/VP8', 'video/rtx']);
  expect(orderCodecs(CODECS, 'h265')).toHaveLength(CODECS.length);
});

test('the start bitrate goes to picture codecs, with and without parameters', () => {
  const answer = [
    'a=rtpmap:96 VP8/90000',
    'a=rtpmap:102 H264/90000',
    'a=fmtp:102 packetization-mode=1',
    'a=rtpmap:97 rtx/90000',
    'a=fmtp:97 apt=96',
    'a=rtpmap:111 opus/48000/2',
    '',
  ].join('\r\n');
  const edited = withStartBitrate(answer, 2_000_000).split('\r\n');
  expect(edited).toContain('a=fmtp:96 x-google-start-bitrate=2000');
  expect(edited).toContain('a=fmtp:102 packetization-mode=1;x-google-start-bitrate=2000');
  expect(edited).toContain('a=fmtp:97 apt=96');
  expect(edited).toContain('a=rtpmap:111 opus/48000/2');
});
