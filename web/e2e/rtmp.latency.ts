/** Prints how old the picture of a publisher by RTMP is where it is seen. Only wide limits hold. */
import type { Page } from '@playwright/test';
import { readBarcode } from './barcode';
import { Ffmpeg, H264 } from './ffmpeg';
import { expect, expectMovingPicture, People, Site, test } from './harness';
import { quantile, row } from './quantiles';

const WATCH_MS = Number(process.env.LATENCY_SECONDS ?? 10) * 1000;
const [WIDTH, HEIGHT, CELLS] = [1280, 720, 19];

/** Milliseconds, on the clock of this process: that of the page may be set otherwise. */
const clock = () => performance.timeOrigin + performance.now();

/** How far a page's clock is ahead of ours: by the quickest answer of many. */
async function ahead(page: Page): Promise<number> {
  let best = { took: Number.POSITIVE_INFINITY, ahead: 0 };
  for (let turn = 0; turn < 50; turn += 1) {
    const asked = clock();
    const theirs = await page.evaluate(() => performance.timeOrigin + performance.now());
    const took = clock() - asked;
    if (took < best.took) best = { took, ahead: theirs - (asked + took / 2) };
  }
  return best.ahead;
}

/** A grey picture with the time on it, as `readBarcode` reads it. */
function frame(): Buffer {
  const time = Math.floor(clock()) & 0xffff;
  const bits = Array.from({ length: 16 }, (_, bit) => (time >> bit) & 1);
  const parity = bits.reduce((sum, bit) => sum ^ bit, 0);
  const cells = [1, ...bits, parity, 0];
  const line = Buffer.alloc(WIDTH);
  for (let x = 0; x < WIDTH; x += 1) line[x] = cells[Math.floor((x * CELLS) / WIDTH)] ? 235 : 16;
  const picture = Buffer.alloc(WIDTH * HEIGHT, 40 + (time % 160));
  for (let y = 0; y < 200; y += 1) line.copy(picture, y * WIDTH);
  return picture;
}

test('H264 by RTMP: time code to eye', async ({ people, ownChannel: channel, site }) => {
  const input = [
    ...['-f', 'rawvideo', '-pix_fmt', 'gray', '-s', `${WIDTH}x${HEIGHT}`, '-r', '30'],
    ...['-use_wallclock_as_timestamps', '1', '-fflags', 'nobuffer', '-i', '-'],
    ...['-f', 'lavfi', '-re', '-i', 'sine=f=440:r=44100'],
  ];
  const encoder = await Ffmpeg.publish(site, channel.handle, input, [...H264, '-tune', 'zerolatency']);
  // It is stopped in the middle of a picture.
  encoder.process.stdin?.on('error', () => undefined);
  const drawing = setInterval(() => encoder.process.stdin?.write(frame()), 1000 / 30);
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  await viewer.waitForTimeout(5000);
  const before = await ahead(viewer);
  const read = await viewer.evaluate(readBarcode, WATCH_MS);
  const offset = (before + (await ahead(viewer))) / 2;
  const ages = read.ages.map((age) => age - offset);
  clearInterval(drawing);
  await encoder.stop();
  console.log(row('H264 by RTMP: time code to eye', ages));
  console.log(
    `${''.padEnd(34)} ${read.unreadable} frames unreadable, the page's clock ${offset.toFixed(0)} ms ahead`,
  );
  expect(ages.length).toBeGreaterThan(WATCH_MS / 1000);
  expect(quantile(ages, 0.5)).toBeLessThan(1000);
});

/** How much later each beep is heard than its flash is seen, in milliseconds. */
async function beepsBehindFlashes(forMs: number): Promise<number[]> {
  const video = document.querySelector<HTMLVideoElement>('video:not([data-behind])');
  const stream = video?.srcObject;
  if (!video || !(stream instanceof MediaStream)) throw new Error('there is no direct picture');
  const context = new AudioContext();
  await context.resume();
  const analyser = new AnalyserNode(context, { fftSize: 2048 });
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const canvas = new OffscreenCanvas(8, 8);
  const pixels = canvas.getContext('2d', { willReadFrequently: true });
  const [flashes, beeps]: [number[], number[]] = [[], []];
  const note = (onsets: number[], at: number) => {
    if (at - (onsets.at(-1) ?? 0) > 500) onsets.push(at);
  };
  const listen = setInterval(() => {
    const now = performance.now();
    analyser.getFloatTimeDomainData(samples);
    const loud = samples.findIndex((sample) => Math.abs(sample) > 0.1);
    if (loud >= 0) note(beeps, now - ((samples.length - loud) * 1000) / context.sampleRate);
  }, 5);
  const look: VideoFrameRequestCallback = (_now, { presentationTime }) => {
    pixels?.drawImage(video, 0, 0, 8, 8);
    const bright = pixels?.getImageData(4, 4, 1, 1).data[1] ?? 0;
    if (bright > 128) note(flashes, presentationTime);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  await new Promise((resolve) => setTimeout(resolve, forMs));
  clearInterval(listen);
  await context.close();
  return flashes.flatMap((flash) => {
    const near = beeps.find((beep) => Math.abs(beep - flash) < 400);
    return near === undefined ? [] : [near - flash];
  });
}

/** Shows flashes and beeps of this page in this page, over a connection of its own: nothing of ours is in it. */
async function flashAndBeep(): Promise<void> {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [640, 360];
  const context = canvas.getContext('2d');
  const audio = new AudioContext({ latencyHint: 'interactive' });
  await audio.resume();
  const tone = new OscillatorNode(audio, { frequency: 1000 });
  const gain = new GainNode(audio, { gain: 0 });
  const out = audio.createMediaStreamDestination();
  tone.connect(gain).connect(out);
  tone.start();
  for (let second = 1; second < 120; second += 1) {
    gain.gain.setValueAtTime(0.5, second);
    gain.gain.setValueAtTime(0, second + 0.1);
  }
  setInterval(() => {
    if (!context) return;
    context.fillStyle = audio.currentTime > 1 && audio.currentTime % 1 < 0.1 ? '#fff' : '#000';
    context.fillRect(0, 0, canvas.width, canvas.height);
  }, 5);
  const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
  from.onicecandidate = ({ candidate }) => void to.addIceCandidate(candidate ?? undefined);
  to.onicecandidate = ({ candidate }) => void from.addIceCandidate(candidate ?? undefined);
  const video = document.createElement('video');
  [video.muted, video.autoplay] = [true, true];
  document.body.prepend(video);
  to.ontrack = ({ streams: [stream] }) => {
    video.srcObject = stream ?? null;
  };
  const stream = new MediaStream([
    ...canvas.captureStream(30).getVideoTracks(),
    ...out.stream.getAudioTracks(),
  ]);
  for (const track of stream.getTracks()) from.addTrack(track, stream);
  await from.setLocalDescription();
  await to.setRemoteDescription(from.localDescription ?? { type: 'offer' });
  await to.setLocalDescription();
  await from.setRemoteDescription(to.localDescription ?? { type: 'answer' });
}

test('lips: what the measuring itself says of a page that shows its own', async ({ people }) => {
  const page = await people.stranger();
  await page.goto('/nowhere');
  await page.evaluate(flashAndBeep);
  await page.waitForTimeout(8000);
  const apart = await page.evaluate(beepsBehindFlashes, WATCH_MS);
  console.log(row('the measure: beep - flash', apart));
  expect(apart.length).toBeGreaterThan(WATCH_MS / 2000);
});

const OPUS = [...H264.slice(0, H264.indexOf('-c:a')), '-c:a', 'libopus', '-ac', '2', '-b:a', '96k'];
const BASELINE = ['-profile:v', 'baseline', '-tune', 'zerolatency'];

for (const [name, by, coding, settings] of [
  ['by WHIP, nothing coded again', 'whip', [...OPUS, ...BASELINE], ''],
  ['by RTMP, picture as it came', 'rtmp', [...H264, '-tune', 'zerolatency'], ''],
  ['by RTMP, B-frames coded again', 'rtmp', [...H264, '-bf', '2', '-b_strategy', '0'], '\ntranscode = 1\n'],
] as const) {
  test(`lips: ${name}`, async ({ browser }) => {
    const site = await Site.setUp(settings);
    const people = new People(browser, site);
    const on = 'lt(mod(t\\,1)\\,0.1)';
    const input = [
      ...['-re', '-f', 'lavfi', '-i', `color=black:s=640x360:r=30,drawbox=color=white:t=fill:enable='${on}'`],
      ...['-f', 'lavfi', '-i', `aevalsrc=exprs=0.5*sin(2*PI*1000*t)*${on}:s=44100`],
    ];
    const encoder = await Ffmpeg.publish(site, 'ada', input, [...coding], by);
    const viewer = await people.stranger();
    await viewer.goto('/@ada');
    await expectMovingPicture(viewer);
    // Browsers hold lips together some seconds after the reports came, and in small steps.
    await viewer.waitForTimeout(12_000);
    const apart = await viewer.evaluate(beepsBehindFlashes, WATCH_MS);
    await encoder.stop();
    console.log(row(`${name}: beep - flash`, apart));
    expect(apart.length).toBeGreaterThan(WATCH_MS / 2000);
    await people.leave();
    await site.server.stop();
  });
}
