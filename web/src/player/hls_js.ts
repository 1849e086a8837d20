/** Playback by hls.js, which is fetched when the first stream needs it. */
import type { ErrorData, default as HlsPlayer, Level, LevelDetails } from 'hls.js';
import { sentence } from '../words';
import type { Layer } from './layers';
import type { Passes } from './pass';
import {
  type Pace,
  type Playback,
  type PlaybackListener,
  type PlaybackSettings,
  withNames,
} from './playback';
import { mediaTime, stretchesOf, wallTime } from './timeline';

type Library = typeof HlsPlayer;

const load = () => import('hls.js');

/** Fetches the library before it is known what to play. */
export function fetchHls(): void {
  void load().catch(() => undefined);
}

/** `null` where the browser lacks media source extensions. */
export async function playHls(
  settings: PlaybackSettings,
  listener: PlaybackListener,
): Promise<Playback | null> {
  const { default: Hls } = await load();
  if (!Hls.isSupported()) return null;
  const url = settings.soundOnly ? await soundUrl(settings.url) : settings.url;
  return new HlsJs(Hls, { ...settings, url }, listener);
}

class HlsJs implements Playback {
  readonly name = 'hls.js';
  layers: Layer[] = [];
  bytes = 0;

  readonly #hls: HlsPlayer;
  readonly #listener: PlaybackListener;
  readonly #passes: Passes;
  /** Of the playlists: media may be at CDNs. */
  readonly #server: string;
  /** The library's level of each layer. */
  #order: number[] = [];
  #recovered: number[] = [];
  /** The CDN that was left last, until something comes from it again. */
  #leftAt = '';
  /** Of streams at several CDNs, the newest playlist of each rendition. */
  readonly #newest = new Map<string, LevelDetails>();
  #started = false;
  #barred = false;
  #closed = false;

  constructor(Hls: Library, settings: PlaybackSettings, listener: PlaybackListener) {
    this.#listener = listener;
    this.#passes = settings.passes;
    this.#server = originOf(settings.url);
    const hls = new Hls(configuration(settings));
    this.#hls = hls;
    const { Events } = Hls;
    hls.on(Events.MANIFEST_PARSED, () => {
      if (hls.pathways.length > 1) hls.config.fragLoadPolicy = OF_SEVERAL_CDNS;
      this.#levels();
    });
    hls.on(Events.FRAG_LOADED, (_event, { frag, part }) => {
      const loaded = part ?? frag;
      this.bytes += loaded.stats.loaded;
      if (this.#leftAt && originOf(loaded.url) === this.#leftAt) this.#leftAt = '';
    });
    hls.on(Events.LEVEL_UPDATED, (_event, { details }) => this.#carryOver(details));
    hls.on(Events.AUDIO_TRACK_UPDATED, (_event, { details }) => this.#carryOver(details));
    hls.on(Events.BUFFER_APPENDED, () => this.#toStart());
    hls.on(Events.ERROR, (_event, error) => {
      this.#steer(error);
      this.#error(error);
    });
    const { at } = settings;
    if (at && 'wallMs' in at) hls.once(Events.MANIFEST_PARSED, () => void this.#startAt(at.wallMs));
    hls.loadSource(settings.url);
  }

  get current(): number | null {
    const at = this.#order.indexOf(this.#hls.currentLevel);
    return at < 0 ? null : at;
  }

  get throughput(): number | null {
    const estimate = this.#hls.bandwidthEstimate;
    return Number.isFinite(estimate) ? estimate : null;
  }

  get codec(): string | null {
    const level = this.#hls.levels[this.#hls.currentLevel];
    return level?.attrs.CODECS ?? level?.videoCodec ?? level?.audioCodec ?? null;
  }

  attach(video: HTMLVideoElement): void {
    this.#started = false;
    this.#hls.attachMedia(video);
  }

  detach(): void {
    if (!this.#closed) this.#hls.detachMedia();
  }

  choose(index: number | null): void {
    const level = index === null ? -1 : (this.#order[index] ?? -1);
    if (this.#hls.autoLevelEnabled ? level !== -1 : this.#hls.manualLevel !== level) {
      this.#hls.nextLevel = level;
    }
  }

  setPace(pace: Pace): void {
    this.#hls.lowLatencyMode = pace === 'low';
    this.#hls.config.maxLiveSyncPlaybackRate = pace === 'low' ? CATCH_UP_RATE : 1;
    const low = this.#details?.partHoldBack || LOW_LATENCY_S;
    this.#hls.targetLatency = pace === 'low' ? low : STABLE_LATENCY_S;
  }

  liveSeconds(): number | null {
    return this.#hls.liveSyncPosition;
  }

  latencyMs(): number | null {
    return this.#details?.live ? this.#hls.latency * 1000 : null;
  }

  window(): { start: number; end: number } | null {
    const details = this.#details;
    return details && details.fragments.length > 0
      ? { start: details.fragmentStart, end: details.edge }
      : null;
  }

  wall(seconds: number): number | null {
    return wallTime(this.#details?.fragments ?? [], seconds);
  }

  seconds(wallMs: number): number | null {
    return mediaTime(this.#details?.fragments ?? [], wallMs);
  }

  resume(): boolean {
    if (this.#hls.levels.length === 0) return false;
    this.#barred = false;
    this.#hls.startLoad();
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#hls.destroy();
  }

  get #details(): LevelDetails | null {
    return this.#hls.latestLevelDetails;
  }

  /**
   * The library starts at media seconds, of which the first playlist's first is zero: that playlist says
   * when it was. Moved later, it would have begun at the live edge already.
   */
  async #startAt(wallMs: number): Promise<void> {
    const [level] = this.#hls.levels;
    const response =
      level && (await fetch(this.#passes.address(level.uri), { cache: 'no-store' }).catch(() => null));
    const playlist = response?.ok ? await response.text().catch(() => '') : '';
    if (!this.#closed) this.#hls.startLoad(mediaTime(stretchesOf(playlist), wallMs) ?? -1);
  }

  /**
   * The library goes to its start when it has every part of a segment that there is: a picture comes
   * earlier, with the first part that has it.
   */
  #toStart(): void {
    const { media, startPosition } = this.#hls;
    if (this.#started || !media) return;
    if (media.currentTime === 0 && !holds(media.buffered, startPosition)) return;
    this.#started = true;
    media.currentTime ||= startPosition;
  }

  #levels(): void {
    const levels = this.#hls.levels
      .map((level, index) => ({ level, index }))
      .filter(({ level }) => level.height > 0)
      .sort((a, b) => b.level.height - a.level.height || b.level.bitrate - a.level.bitrate);
    this.#order = levels.map(({ index }) => index);
    this.layers = withNames(levels.map(({ level }) => layerOf(level)));
    this.#listener.layers();
  }

  /**
   * Leaves a CDN at the first error. The library would ask it again for half a minute, and for every size,
   * before it does, and then not come back to it for five minutes, though the other fails as well.
   */
  #steer({ fatal, details, frag, part }: ErrorData): void {
    const { levels, pathways } = this.#hls;
    const left = levels[0]?.pathwayId;
    const ofMedia = details === 'fragLoadError' || details === 'fragLoadTimeOut';
    if (fatal || !ofMedia || !frag || left === undefined || pathways.length < 2) return;
    // The sound may ask the one that was left for some time yet: that says nothing of the next.
    // A segment that is not complete has no address, its parts have.
    const at = originOf((part ?? frag).url);
    if (at === this.#leftAt) return;
    this.#leftAt = at;
    this.#hls.pathwayPriority = [...pathways.filter((one) => one !== left), left];
  }

  /**
   * The library takes what it has of a segment for parts of the CDN that was left. Where it has the whole
   * segment it would wait until the next CDN's playlist lists no parts of it any more, 12 s later.
   */
  #carryOver(details: LevelDetails): void {
    if (this.#hls.pathways.length < 2) return;
    // Playlists of one rendition are in one folder of the server, whichever CDN they name.
    const rendition = details.url.slice(0, details.url.lastIndexOf('/'));
    const before = this.#newest.get(rendition);
    this.#newest.set(rendition, details);
    for (const part of details.partList ?? []) {
      const { fragment, index } = part;
      const same = before?.partList?.find((one) => one.fragment.sn === fragment.sn && one.index === index);
      if (same?.loaded) part.elementaryStreams = same.elementaryStreams;
    }
  }

  #error({ fatal, type, details, response, networkDetails, error }: ErrorData): void {
    if (this.#closed || this.#barred) return;
    const code = response?.code ?? 0;
    // A CDN's refusal is a fault of the CDN: who may watch is the server's to say. The server may have sent
    // the request there, and the library tells the address that it asked first.
    const answered = (networkDetails as XMLHttpRequest | null | undefined)?.responseURL;
    const status = response && originOf(answered || response.url) !== this.#server ? 0 : code;
    this.#barred = status === FORBIDDEN;
    // Other levels are of the same gate: they are not tried.
    if (this.#barred) this.#hls.stopLoad();
    else if (!fatal) return;
    if (type === 'mediaError' && this.#mayRecover()) {
      this.#hls.recoverMediaError();
      return;
    }
    this.#listener.failed({
      status,
      unplayable: details === 'manifestIncompatibleCodecsError' || details === 'bufferAddCodecError',
      words: code > 0 ? `The server answered ${code} for the stream.` : sentence(error.message),
    });
  }

  /** Twice in half a minute is worth a try. */
  #mayRecover(): boolean {
    const now = performance.now();
    this.#recovered = this.#recovered.filter((at) => now - at < 30_000);
    return this.#recovered.push(now) <= 2;
  }
}

function configuration({ pace, at, passes }: PlaybackSettings): Partial<HlsPlayer['config']> {
  const low = pace === 'low';
  return {
    autoStartLoad: !(at && 'wallMs' in at),
    lowLatencyMode: low,
    startPosition: at && 'seconds' in at ? at.seconds : -1,
    ...(pace === 'stable' ? { liveSyncDuration: STABLE_LATENCY_S } : {}),
    maxLiveSyncPlaybackRate: low ? CATCH_UP_RATE : 1,
    liveDurationInfinity: true,
    // Segments are passed on as they are: nothing to do for a worker, which trusted types would refuse.
    enableWorker: false,
    // The page may still be on its way. A video element in the air would hold up its `load` event.
    startFragPrefetch: true,
    // A first guess, so that the picture begins at a good size; what arrives corrects it within seconds.
    abrEwmaDefaultEstimate: 4_000_000,
    testBandwidth: false,
    backBufferLength: 60,
    xhrSetup: (request, url) => request.open('GET', passes.address(url), true),
    playlistLoadPolicy: {
      default: {
        maxTimeToFirstByteMs: 12_000,
        maxLoadTimeMs: 20_000,
        timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
        // A host that is away for half a minute is waited for.
        errorRetry: { maxNumRetry: 8, retryDelayMs: 1000, maxRetryDelayMs: 4000 },
      },
    },
  };
}

function originOf(url: string): string {
  return new URL(url, location.href).origin;
}

function holds(ranges: TimeRanges, seconds: number): boolean {
  return Array.from({ length: ranges.length }, (_, at) => at).some(
    (at) => ranges.start(at) <= seconds && ranges.end(at) > seconds,
  );
}

function layerOf({ width, height, bitrate, frameRate, videoCodec }: Level): Omit<Layer, 'rid'> {
  return {
    width: width || null,
    height: height || null,
    bitrate: bitrate || null,
    fps: frameRate || null,
    codec: videoCodec ?? null,
    active: true,
  };
}

/** hls.js leaves out what has no picture where others have one: it is played as a stream of its own. */
async function soundUrl(url: string): Promise<string> {
  const response = await fetch(url, { cache: 'no-store' });
  const uri = soundUri(response.ok ? await response.text() : '');
  return uri === null ? url : new URL(uri, response.url || url).href;
}

/** The media playlist of the sound, from a multivariant playlist. */
export function soundUri(playlist: string): string | null {
  const lines = playlist.split(/\r?\n/);
  const media = lines.find((line) => line.startsWith('#EXT-X-MEDIA:') && line.includes('TYPE=AUDIO'));
  return /[:,]URI="([^"]+)"/.exec(media ?? '')?.[1] ?? null;
}

const TRIES = 3;
/** Another is asked as soon as one fails; the same again when all have. */
const OF_SEVERAL_CDNS: HlsPlayer['config']['fragLoadPolicy'] = {
  default: {
    maxTimeToFirstByteMs: 3000,
    maxLoadTimeMs: 8000,
    timeoutRetry: { maxNumRetry: TRIES, retryDelayMs: 0, maxRetryDelayMs: 0 },
    errorRetry: {
      maxNumRetry: TRIES,
      retryDelayMs: 250,
      maxRetryDelayMs: 1000,
      // Whatever it answered: others may have what one has not.
      shouldRetry: (_policy, count) => count < TRIES,
    },
  },
};
const FORBIDDEN = 403;
const LOW_LATENCY_S = 1;
const STABLE_LATENCY_S = 6;
const CATCH_UP_RATE = 1.1;
