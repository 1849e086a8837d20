/** Streams that come by RTMP, as viewers and their creator meet them. */
import type { Page } from '@playwright/test';
import { Ffmpeg, H264, TEST_CARD } from './ffmpeg';
import { expect, expectMovingPicture, hlsReady, look, PICTURE, test, wake } from './harness';

const OPUS = ['-c:a', 'libopus', '-ac', '2', '-b:a', '96k'];

/** Put into a page before anything else: keeps its connections. */
function notePeers(): void {
  const peers: RTCPeerConnection[] = [];
  Object.assign(window, { peers });
  const Plain = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      peers.push(this);
    }
  };
}

/** The codec of the picture that comes over the direct connection. */
async function codecOf(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const { peers } = window as unknown as { peers: RTCPeerConnection[] };
    for (const peer of peers) {
      const stats = await peer.getStats();
      for (const entry of stats.values()) {
        if (entry.type === 'inbound-rtp' && entry.kind === 'video') {
          return stats.get(entry.codecId)?.mimeType ?? '';
        }
      }
    }
    return '';
  });
}

/** The pitch of what is heard in the picture's element, in Hertz, and how loud it is, 0 to 1. */
async function heard(page: Page): Promise<{ pitch: number; level: number }> {
  return page.evaluate(async (selector) => {
    const stream = document.querySelector<HTMLVideoElement>(selector)?.srcObject;
    if (!(stream instanceof MediaStream)) return { pitch: 0, level: 0 };
    const context = new AudioContext();
    await context.resume();
    const analyser = new AnalyserNode(context, { fftSize: 8192 });
    context.createMediaStreamSource(stream).connect(analyser);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    const loudest = bins.indexOf(Math.max(...bins));
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    const level = Math.max(...samples.map(Math.abs));
    const pitch = (loudest * context.sampleRate) / analyser.fftSize;
    await context.close();
    return { pitch, level };
  }, PICTURE);
}

for (const [name, codec, coding] of [
  ['H264 and AAC', 'video/H264', [...H264, '-tune', 'zerolatency']],
  [
    'VP9 and Opus',
    'video/VP9',
    [
      ...['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-lag-in-frames', '0'],
      ...['-g', '60', '-b:v', '800k', ...OPUS],
    ],
  ],
  [
    'AV1 and Opus',
    'video/AV1',
    [
      ...['-c:v', 'libsvtav1', '-preset', '12', '-svtav1-params', 'pred-struct=1:rc=2'],
      ...['-pix_fmt', 'yuv420p', '-g', '60', '-b:v', '800k', ...OPUS],
    ],
  ],
] as const) {
  test(`${name} by RTMP are seen and heard at once`, async ({ people, ownChannel: channel, site }) => {
    const encoder = await Ffmpeg.publish(site, channel.handle, TEST_CARD, [...coding]);
    const viewer = await people.stranger();
    await viewer.addInitScript(notePeers);
    await viewer.goto(`/@${channel.handle}`);
    await expectMovingPicture(viewer);
    await expect.poll(() => codecOf(viewer)).toBe(codec);
    // A sine of 440 Hz, an eighth of full scale.
    await expect(async () => {
      const { pitch, level } = await heard(viewer);
      expect(level).toBeGreaterThan(0.05);
      expect(Math.abs(pitch - 440)).toBeLessThan(20);
    }).toPass();
    await wake(viewer);
    await expect(viewer.getByRole('button', { name: /^Latency: Instant/ })).toBeVisible();
    await encoder.stop();
    expect(encoder.words).toBe('');
  });
}

test('B-frames send viewers to HLS with the reason, and tell the creator what to change', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const encoder = await Ffmpeg.publish(site, channel.handle, TEST_CARD, [...H264, '-bf', '2']);
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  await expect(viewer.getByText("The host's encoder sends B-frames")).toBeVisible();
  await wake(viewer);
  await expect(viewer.getByRole('button', { name: /^Latency: (Low latency|Stable)/ })).toBeVisible();
  await look(viewer, 'watch-b-frames');
  await hlsReady(site, channel.handle);

  const dashboard = await people.creator();
  await dashboard.goto(`/dashboard?channel=${channel.handle}`);
  await expect(dashboard.getByText(/B-frames to 0/).first()).toBeVisible();
  await look(dashboard, 'dashboard-b-frames');
  await encoder.stop();
});
