import { expect, test } from 'vitest';
import { assess, UploadSampler, type UploadStats } from './health';

const GOOD: UploadStats = {
  bitrate: 3_300_000,
  fps: 30,
  loss: 0,
  rttMs: 20,
  codec: 'H264',
  encoder: null,
  transport: 'UDP',
  limitation: 'none',
  available: 6_000_000,
  layers: [{ rid: 'h', width: 1280, height: 720, fps: 30, bitrate: 2_500_000, active: true }],
};
const WANTED = { lines: 720, fps: 30, bitrate: 3_400_000, still: false };
const words = (rate: number) => `${rate / 1e6} Mbit/s`;
const judge = (patch: Partial<UploadStats>) => assess({ ...GOOD, ...patch }, WANTED, words);
const small = [{ rid: 'm', width: 640, height: 360, fps: 30, bitrate: 400_000, active: true }];

test('a steady upload says what viewers can see', () => {
  expect(judge({})).toMatchObject({ tone: 'good', advice: expect.stringContaining('720p') });
});

test('trouble is told with what viewers see and what to do', () => {
  expect(judge({ layers: [], bitrate: 0 }).tone).toBe('poor');
  expect(judge({ loss: 0.12 })).toMatchObject({ tone: 'poor', title: '12 % of your packets get lost' });
  const slow = judge({ limitation: 'bandwidth', layers: small, bitrate: 400_000 });
  expect(slow).toMatchObject({ tone: 'poor', title: 'Your upload carries 0.4 Mbit/s of 3.4 Mbit/s' });
  expect(slow.advice).toContain('360p');
  expect(judge({ limitation: 'cpu' }).title).toContain('encodes too slowly');
  expect(judge({ fps: 12 }).title).toBe('Only 12 frames a second');
  expect(judge({ rttMs: 600 }).tone).toBe('fair');
  expect(judge({ layers: small }).title).toBe('Only 360p is sent');
});

test('a still picture may have few frames', () => {
  expect(assess({ ...GOOD, fps: 10 }, { ...WANTED, still: true }, words).tone).toBe('good');
});

test('rates are summed over layers and the largest comes first', () => {
  const report = (bytes: number) =>
    new Map<string, RTCStats>(
      [
        {
          id: 'l',
          type: 'outbound-rtp',
          kind: 'video',
          rid: 'l',
          bytesSent: bytes,
          frameWidth: 320,
          frameHeight: 180,
          framesPerSecond: 30,
          qualityLimitationReason: 'none',
        },
        {
          id: 'h',
          type: 'outbound-rtp',
          kind: 'video',
          rid: 'h',
          bytesSent: bytes * 4,
          frameWidth: 1280,
          frameHeight: 720,
          framesPerSecond: 29,
          qualityLimitationReason: 'bandwidth',
        },
        { id: 'a', type: 'outbound-rtp', kind: 'audio', bytesSent: bytes },
        { id: 'ri', type: 'remote-inbound-rtp', kind: 'video', fractionLost: 0.03, roundTripTime: 0.05 },
      ].map((entry) => [entry.id, entry as unknown as RTCStats]),
    );
  const sampler = new UploadSampler();
  sampler.read(report(0), 0);
  const stats = sampler.read(report(12_500), 1000);
  expect(stats.bitrate).toBe(600_000);
  expect(stats.layers.map(({ rid }) => rid)).toEqual(['h', 'l']);
  expect(stats).toMatchObject({ fps: 30, limitation: 'bandwidth', loss: 0.03, rttMs: 50 });
});
