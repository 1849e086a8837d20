import { expect, test } from 'vitest';
import { codecName, StatsSampler } from './stats';

function report(bytes: number, packets: number, lost: number): Map<string, RTCStats> {
  const entries: Record<string, unknown>[] = [
    {
      id: 'v',
      type: 'inbound-rtp',
      kind: 'video',
      codecId: 'c',
      bytesReceived: bytes,
      packetsReceived: packets,
      packetsLost: lost,
      frameWidth: 1280,
      frameHeight: 720,
      framesPerSecond: 30,
      framesDecoded: packets,
      jitter: 0.004,
      jitterBufferDelay: packets * 0.02,
      jitterBufferEmittedCount: packets,
      totalDecodeTime: packets * 0.003,
      freezeCount: 1,
      totalFreezesDuration: 0.4,
    },
    {
      id: 'c',
      type: 'codec',
      mimeType: 'video/H264',
      sdpFmtpLine: 'profile-level-id=64001f;packetization-mode=1',
    },
    { id: 't', type: 'transport', selectedCandidatePairId: 'p' },
    {
      id: 'p',
      type: 'candidate-pair',
      localCandidateId: 'l',
      remoteCandidateId: 'r',
      currentRoundTripTime: 0.012,
    },
    { id: 'l', type: 'local-candidate', candidateType: 'host', protocol: 'udp' },
    { id: 'r', type: 'remote-candidate', protocol: 'tcp' },
  ];
  return new Map(entries.map((entry) => [String(entry.id), entry as unknown as RTCStats]));
}

test('rates come from the difference of two samples', () => {
  const sampler = new StatsSampler();
  expect(sampler.read(report(0, 0, 0), 0)).toMatchObject({ bitrate: null, loss: null });
  const stats = sampler.read(report(250_000, 95, 5), 1000);
  expect(stats.bitrate).toBe(2_000_000);
  expect(stats.loss).toBeCloseTo(0.05);
  expect(stats.bufferMs).toBeCloseTo(20);
  expect(stats.decodeMs).toBeCloseTo(3);
  expect(stats).toMatchObject({
    transport: 'TCP',
    codec: 'H264 High 3.1',
    rttMs: 12,
    jitterMs: 4,
    freezes: 1,
    freezeMs: 400,
  });
});

test('codecs are named as people know them', () => {
  expect(codecName('video/VP8', undefined)).toBe('VP8');
  expect(codecName('video/H264', 'profile-level-id=42e01f')).toBe('H264 Baseline 3.1');
  expect(codecName(undefined, undefined)).toBeNull();
});

test('the latency is from the capture of a frame to its delivery, which has the buffer in it', async () => {
  const NTP_EPOCH_MS = 2_208_988_800_000;
  const captured = Date.parse('2026-01-01T00:00:00Z');
  let reports = 0;
  const pc = {
    getStats: async () => report(0, 95 * reports++, 0),
    getReceivers: () => [
      {
        track: { kind: 'video' },
        getSynchronizationSources: () => [
          { timestamp: captured + 180, captureTimestamp: captured + NTP_EPOCH_MS },
        ],
      },
    ],
  } as unknown as RTCPeerConnection;
  const sampler = new StatsSampler();
  await sampler.sample(pc, 0);
  expect(await sampler.sample(pc, 1000)).toMatchObject({
    latencyMs: 180,
    latencySource: 'capture time',
    bufferMs: expect.closeTo(20),
  });
});
