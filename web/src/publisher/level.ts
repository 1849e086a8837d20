/** How loud the microphone is, and whether that is nothing or too much. */
import { Store } from '../store';

export interface Level {
  /** 0–1 over the 60 dB below full scale */
  level: number;
  /** the loudest of the last second, same scale */
  peak: number;
  clipping: boolean;
  /** Nothing was heard for three seconds. */
  silent: boolean;
}

const FLOOR_DB = -60;
const SILENCE_DB = -58;
const SILENT_AFTER_MS = 3000;
const CLIP_SHOWN_MS = 1500;
const QUIET: Level = { level: 0, peak: 0, clipping: false, silent: false };

/** Judges one block of samples after another; the clock comes in. Pure but for its memory. */
export class LevelJudge {
  #heardAt: number;
  #clippedAt = Number.NEGATIVE_INFINITY;
  #peak = 0;
  #peakAt = 0;

  constructor(now: number) {
    this.#heardAt = now;
  }

  judge(samples: Float32Array, now: number): Level {
    let sum = 0;
    let loudest = 0;
    for (const sample of samples) {
      sum += sample * sample;
      loudest = Math.max(loudest, Math.abs(sample));
    }
    const rms = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
    if (rms > SILENCE_DB) this.#heardAt = now;
    if (loudest >= 0.985) this.#clippedAt = now;
    const level = scale(rms + 3);
    if (level >= this.#peak || now - this.#peakAt > 1000) {
      this.#peak = level;
      this.#peakAt = now;
    }
    return {
      level,
      peak: this.#peak,
      clipping: now - this.#clippedAt < CLIP_SHOWN_MS,
      silent: now - this.#heardAt >= SILENT_AFTER_MS,
    };
  }
}

function scale(db: number): number {
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
}

/** Listens to a track; `store` changes about twenty times a second. */
export class LevelMeter {
  readonly store = new Store<Level>(QUIET);
  #source: MediaStreamAudioSourceNode | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  listen(context: AudioContext, track: MediaStreamTrack | null): void {
    this.stop();
    if (!track) return;
    const analyser = context.createAnalyser();
    analyser.fftSize = 2048;
    this.#source = context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const judge = new LevelJudge(performance.now());
    this.#timer = setInterval(() => {
      // Before the first gesture the browser keeps the context asleep: that is not silence.
      if (context.state !== 'running') return;
      analyser.getFloatTimeDomainData(samples);
      this.store.set(judge.judge(samples, performance.now()));
    }, 50);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#source?.disconnect();
    this.#source = null;
    this.store.set(QUIET);
  }
}
