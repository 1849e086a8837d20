/**
 * Time on a picture: cells of black and white across the top carry 16 bits of a clock that two pages of
 * one machine share, so that the picture's age can be read where it is shown. These functions run inside
 * pages: each stands alone and uses nothing of this file.
 */

/** Publishes a canvas by WHIP. Resolves when the connection stands; the picture goes on with the page. */
export async function publishBarcode(options: {
  endpoint: string;
  key: string;
  codec: string;
  simulcast: boolean;
}): Promise<void> {
  const CELLS = 19;
  const canvas = document.createElement('canvas');
  canvas.width = 1280;
  canvas.height = 720;
  const context = canvas.getContext('2d');
  if (!context) throw new Error('no canvas');
  const cell = canvas.width / CELLS;
  setInterval(() => {
    const time = Math.floor(performance.timeOrigin + performance.now()) & 0xffff;
    const bits = Array.from({ length: 16 }, (_, bit) => (time >> bit) & 1);
    const parity = bits.reduce((sum, bit) => sum ^ bit, 0);
    context.fillStyle = `hsl(${time % 360} 30% 40%)`;
    context.fillRect(0, 200, canvas.width, canvas.height - 200);
    // Guards, so that a grey or black picture is not taken for a time: white, bits, parity, black.
    for (const [index, bit] of [1, ...bits, parity, 0].entries()) {
      context.fillStyle = bit ? '#fff' : '#000';
      context.fillRect(Math.floor(index * cell), 0, Math.ceil(cell), 200);
    }
  }, 1000 / 60);
  const [track] = canvas.captureStream(30).getVideoTracks();
  if (!track) throw new Error('no track');
  track.contentHint = 'detail';

  const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  const layers = options.simulcast
    ? [
        { rid: 'l', scaleResolutionDownBy: 4, maxBitrate: 200_000 },
        { rid: 'm', scaleResolutionDownBy: 2, maxBitrate: 700_000 },
        { rid: 'h', scaleResolutionDownBy: 1, maxBitrate: 2_500_000 },
      ]
    : [{ maxBitrate: 2_500_000 }];
  const { sender, ...transceiver } = ((added) => ({
    sender: added.sender,
    prefer: (codecs: RTCRtpCodec[]) => added.setCodecPreferences(codecs),
  }))(pc.addTransceiver(track, { direction: 'sendonly', sendEncodings: layers }));
  const codecs = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
  transceiver.prefer(
    codecs.filter(({ mimeType }) => mimeType === `video/${options.codec}` || mimeType === 'video/rtx'),
  );
  await pc.setLocalDescription(await pc.createOffer());
  const response = await fetch(options.endpoint, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp', Authorization: `Bearer ${options.key}` },
    body: pc.localDescription?.sdp ?? '',
  });
  if (response.status !== 201) throw new Error(`WHIP answered ${response.status}: ${await response.text()}`);
  const sdp = (await response.text()).replace(
    /(a=fmtp:\d+ [^\r\n]*packetization[^\r\n]*)/g,
    '$1;x-google-start-bitrate=2500',
  );
  await pc.setRemoteDescription({ type: 'answer', sdp });
  const parameters = sender.getParameters() as RTCRtpSendParameters & { degradationPreference?: string };
  parameters.degradationPreference = 'maintain-resolution';
  await sender.setParameters(parameters);
  await new Promise<void>((resolve, reject) => {
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === 'connected') resolve();
      if (pc.connectionState === 'failed') reject(new Error('the publisher did not connect'));
    };
  });
}

/**
 * Reads the age of the shown frames for a while: milliseconds, and how many could not be read. Follows
 * the player when another element takes over.
 */
export async function readBarcode(forMs: number): Promise<{ ages: number[]; unreadable: number }> {
  const CELLS = 19;
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('no canvas');
  const ages: number[] = [];
  let unreadable = 0;
  const read = (video: HTMLVideoElement) => {
    const now = Math.floor(performance.timeOrigin + performance.now()) & 0xffff;
    canvas.width = video.videoWidth;
    canvas.height = Math.max(1, Math.round(video.videoHeight / 8));
    context.drawImage(video, 0, 0, video.videoWidth, video.videoHeight);
    const row = context.getImageData(0, Math.floor(canvas.height / 2), canvas.width, 1).data;
    const cells: number[] = Array.from({ length: CELLS }, (_, index) => {
      const value = row[Math.floor(((index + 0.5) * canvas.width) / CELLS) * 4 + 1] ?? 128;
      return value > 160 ? 1 : value < 95 ? 0 : -1;
    });
    const bits = cells.slice(1, 17);
    const parity = bits.reduce((sum, bit) => sum ^ bit, 0);
    const readable = !cells.includes(-1) && cells[0] === 1 && cells[18] === 0 && parity === cells[17];
    if (readable) {
      const sent = bits.reduce((sum, bit, index) => sum | (bit << index), 0);
      ages.push((now - sent) & 0xffff);
    } else {
      unreadable += 1;
    }
  };
  const until = performance.now() + forMs;
  while (performance.now() < until) {
    const video = document.querySelector<HTMLVideoElement>('video:not([data-behind])');
    const came = await new Promise<boolean>((done) => {
      video?.requestVideoFrameCallback(() => done(true));
      setTimeout(() => done(false), 500);
    });
    if (video && came) read(video);
  }
  return { ages, unreadable };
}

/** What `measureJoin` leaves behind in a page; milliseconds from the POST of the offer. */
export interface JoinTimes {
  /** From the start of the navigation to the POST. */
  posted: number;
  answered: number;
  connected: number;
  /** The first complete frame is there; a decodable stream begins with a key frame. */
  firstKeyFrame: number;
  /** The first frame is decoded and shown. */
  firstFrame: number;
}

/** Put into a watch page before anything else, times the player's own join. */
export function measureJoin(): void {
  const times: Partial<JoinTimes> = {};
  const shared = window as unknown as { joinTimes: Partial<JoinTimes> };
  shared.joinTimes = times;
  let posted = 0;
  const since = () => performance.now() - posted;

  const plainFetch = window.fetch.bind(window);
  window.fetch = async (input, init) => {
    const watching = String(input).startsWith('/whep/') && init?.method === 'POST';
    if (!watching || times.posted !== undefined) return plainFetch(input, init);
    posted = performance.now();
    times.posted = posted;
    const response = await plainFetch(input, init);
    times.answered = since();
    return response;
  };

  const Plain = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      this.addEventListener('connectionstatechange', () => {
        if (this.connectionState === 'connected') times.connected ??= since();
      });
      const look = async () => {
        for (const entry of (await this.getStats()).values()) {
          if (entry.type === 'inbound-rtp' && entry.kind === 'video' && entry.framesReceived > 0) {
            times.firstKeyFrame ??= since();
          }
        }
        if (times.firstKeyFrame === undefined && this.connectionState !== 'closed') setTimeout(look, 4);
      };
      void look();
    }
  };

  addEventListener('DOMContentLoaded', () => {
    const watch = () => {
      const video = document.querySelector('video');
      if (!video) requestAnimationFrame(watch);
      else
        video.requestVideoFrameCallback(() => {
          times.firstFrame ??= since();
        });
    };
    watch();
  });
}

/**
 * The 16 bits of the clock in the picture that is seen in the moment in which a chat's message with this
 * text comes into the page; `null` when that picture could not be read.
 */
export async function pictureAtMessage(text: string): Promise<number | null> {
  const CELLS = 19;
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('no canvas');
  const read = (): number | null => {
    const video = document.querySelector<HTMLVideoElement>('video:not([data-behind])');
    if (!video || video.videoWidth === 0) return null;
    canvas.width = video.videoWidth;
    canvas.height = Math.max(1, Math.round(video.videoHeight / 8));
    context.drawImage(video, 0, 0, video.videoWidth, video.videoHeight);
    const row = context.getImageData(0, Math.floor(canvas.height / 2), canvas.width, 1).data;
    const cells: number[] = Array.from({ length: CELLS }, (_, index) => {
      const value = row[Math.floor(((index + 0.5) * canvas.width) / CELLS) * 4 + 1] ?? 128;
      return value > 160 ? 1 : value < 95 ? 0 : -1;
    });
    const bits = cells.slice(1, 17);
    const parity = bits.reduce((sum, bit) => sum ^ bit, 0);
    const readable = !cells.includes(-1) && cells[0] === 1 && cells[18] === 0 && parity === cells[17];
    return readable ? bits.reduce((sum, bit, index) => sum | (bit << index), 0) : null;
  };
  const isThere = () =>
    [...document.querySelectorAll('[role="log"] [data-message] bdi')].some(
      (element) => element.textContent === text,
    );
  while (!isThere()) await new Promise((next) => requestAnimationFrame(next));
  const came = performance.now();
  // One of the next frames can be read; it is as much later as it took until then.
  while (performance.now() - came < 2000) {
    const time = read();
    if (time !== null) return (time - Math.round(performance.now() - came)) & 0xffff;
    await new Promise((next) => requestAnimationFrame(next));
  }
  return null;
}
