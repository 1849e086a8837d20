/** One WHIP session: a peer connection that sends a picture and a sound. Decides nothing. */
import { negotiateCaptureTime } from '../session/capture_time';
import { end, offer, onClosedByServer, restartIce, type Session } from '../session/signalling';
import {
  AUDIO_BITRATE,
  encodingsFor,
  orderCodecs,
  type Quality,
  totalBitrate,
  withStartBitrate,
} from './encodings';
import type { Output } from './sources';

export interface WhipOptions {
  endpoint: string;
  quality: Quality;
  /** bit/s of the largest layer */
  bitrate: number;
  /** `null`: H264 where the browser has it. */
  codec: string | null;
  simulcast: boolean;
  /** `null`: as many as there are. */
  mostLayers: number | null;
  /** Goes on with a stream that is open on the server, which an end of this session would end. */
  resumes: boolean;
}

const MAX_START_BITRATE = 2_500_000;

export class WhipSession {
  readonly pc: RTCPeerConnection;
  readonly #options: WhipOptions;
  readonly #video: RTCRtpSender;
  readonly #audio: RTCRtpSender;
  readonly #onState: (state: RTCPeerConnectionState) => void;
  #session: Session | null = null;
  #over = false;
  #wasConnected = false;

  constructor(options: WhipOptions, output: Output, onState: (state: RTCPeerConnectionState) => void) {
    this.#options = options;
    this.#onState = onState;
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.pc.onconnectionstatechange = () => {
      if (this.pc.connectionState === 'connected') this.#wasConnected = true;
      onState(this.pc.connectionState);
    };
    const stream = new MediaStream();
    const video = this.pc.addTransceiver(output.video, {
      direction: 'sendonly',
      streams: [stream],
      sendEncodings: this.#encodings(output),
    });
    const codecs = RTCRtpSender.getCapabilities('video')?.codecs;
    if (codecs) video.setCodecPreferences?.(orderCodecs(codecs, options.codec));
    negotiateCaptureTime(video);
    const audio = this.pc.addTransceiver(output.audio ?? 'audio', {
      direction: 'sendonly',
      streams: [stream],
      sendEncodings: [{ maxBitrate: AUDIO_BITRATE }],
    });
    this.#video = video.sender;
    this.#audio = audio.sender;
  }

  async open(signal: AbortSignal): Promise<void> {
    const start = Math.min(MAX_START_BITRATE, totalBitrate(this.#encodings()));
    const session = await offer(this.pc, this.#options.endpoint, {
      signal,
      leaveLate: this.#options.resumes,
      editAnswer: (sdp) => withStartBitrate(sdp, start),
    });
    this.#session = session;
    onClosedByServer(this.pc, () => {
      if (this.#over) return;
      this.#over = true;
      this.#onState('failed');
    });
    // Fewer frames before a smaller picture: the layers are there for small pictures.
    const parameters = this.#video.getParameters() as RTCRtpSendParameters & {
      degradationPreference?: string;
    };
    parameters.degradationPreference = 'maintain-resolution';
    await this.#video.setParameters(parameters).catch(() => undefined);
  }

  /** Other tracks in the same session; nobody notices a gap. */
  async send(output: Output): Promise<void> {
    if (this.#video.track !== output.video) await this.#video.replaceTrack(output.video);
    if (this.#audio.track !== output.audio) await this.#audio.replaceTrack(output.audio);
  }

  async restart(signal: AbortSignal): Promise<void> {
    if (!this.#session) throw new Error('There is no session to restart.');
    await restartIce(this.pc, this.#session, signal);
  }

  /** The session's id, the last part of its URL; `null` before the answer. */
  get id(): string | null {
    return this.#session?.url.split('/').at(-1) ?? null;
  }

  /** Closed, by this side or the server's: no restart brings it back. */
  get isOver(): boolean {
    return this.#over || this.pc.connectionState === 'closed';
  }

  /** Resolves true once media can flow, false when it cannot within the time. */
  connected(withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const pc = this.pc;
      const done = (result: boolean) => {
        clearTimeout(timer);
        pc.removeEventListener('connectionstatechange', look);
        resolve(result);
      };
      const look = () => {
        if (pc.connectionState === 'connected') done(true);
        else if (pc.connectionState === 'failed' || pc.connectionState === 'closed') done(false);
      };
      const timer = setTimeout(() => done(pc.connectionState === 'connected'), withinMs);
      pc.addEventListener('connectionstatechange', look);
      look();
    });
  }

  /**
   * Leaves without a word: the server keeps the stream for the reconnect window. Only what never began
   * is taken back, so that it does not hold the channel.
   */
  abandon(): void {
    this.pc.onconnectionstatechange = null;
    const neverBegan = !this.#wasConnected && !this.#over && !this.#options.resumes;
    if (this.#session && neverBegan) void end(this.#session);
    this.#over = true;
    this.pc.close();
  }

  /**
   * Ends the stream, on purpose. The server hears it before the connection goes: a connection that just
   * goes is a lost one, and its stream stays open.
   */
  async end(): Promise<void> {
    this.pc.onconnectionstatechange = null;
    this.#over = true;
    // Nothing of what is said now goes out.
    await Promise.allSettled([this.#video.replaceTrack(null), this.#audio.replaceTrack(null)]);
    if (this.#session)
      await Promise.race([end(this.#session), new Promise((late) => setTimeout(late, 3000))]);
    this.abandon();
  }

  #encodings(output?: Output): RTCRtpEncodingParameters[] {
    const { quality, bitrate, codec, simulcast, mostLayers } = this.#options;
    const size = output?.video.getSettings();
    // An upright phone picture counts by its shorter side, too.
    const lines = Math.min(size?.width ?? quality.height, size?.height ?? quality.height, quality.height);
    return encodingsFor(lines, quality.fps, bitrate, { codec: codec ?? '', simulcast, most: mostLayers });
  }
}
