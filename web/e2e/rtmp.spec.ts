/** Streams that come by RTMP, as viewers and their creator meet them. */
import type { Page } from '@playwright/test';
import { Ffmpeg, H264, TEST_CARD } from './ffmpeg';
import { expect, expectMovingPicture, hlsReady, look, test, wake } from './harness';

const OPUS = ['-c:a', 'libopus', '-ac', '2', '-b:a', '96k'];

/** Put into a page before anything else: keeps what tells what is heard. */
function noteSound(): void {
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

/** What comes over the direct connection: the codec of the picture, and how loud it is, 0 to 1. */
async function arriving(page: Page): Promise<{ codec: string; level: number }> {
  return page.evaluate(async () => {
    const { peers } = window as unknown as { peers: RTCPeerConnection[] };
    const found = { codec: '', level: 0 };
    for (const peer of peers) {
      const stats = await peer.getStats();
      for (const entry of stats.values()) {
        if (entry.type !== 'inbound-rtp') continue;
        if (entry.kind === 'audio') found.level = Math.max(found.level, entry.audioLevel ?? 0);
        else found.codec = stats.get(entry.codecId)?.mimeType ?? found.codec;
      }
    }
    return found;
  });
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
    await viewer.addInitScript(noteSound);
    await viewer.goto(`/@${channel.handle}`);
    await expectMovingPicture(viewer);
    // A sine of an eighth of full scale.
    await expect.poll(() => arriving(viewer).then(({ level }) => level)).toBeGreaterThan(0.02);
    expect(await arriving(viewer)).toMatchObject({ codec });
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
  await dashboard.goto(`/dashboard/${channel.handle}`);
  await expect(dashboard.getByText(/set B-frames to 0/).first()).toBeVisible();
  await look(dashboard, 'dashboard-b-frames');
  await encoder.stop();
});
