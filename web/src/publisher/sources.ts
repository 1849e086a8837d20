/**
 * Camera, microphone and screen: opens and switches them, keeps a picture when one goes away, and says
 * which tracks go out now. Owns every track and stops it; the publisher only sends them.
 */
import { Store } from '../store';
import { type Quality, qualityById } from './encodings';
import { explain, type Fault, type SourceKind, unplugged } from './faults';
import { LevelMeter } from './level';
import { createSlate, type Slate } from './slate';

export interface Device {
  id: string;
  label: string;
}

export interface SourcesState {
  cameras: Device[];
  microphones: Device[];
  /** `null`: none chosen. */
  cameraId: string | null;
  microphoneId: string | null;
  cameraOn: boolean;
  microphoneOn: boolean;
  /** What viewers see. */
  picture: 'camera' | 'screen' | 'slate';
  screenSound: boolean;
  /** The picture for this page's own preview. */
  preview: MediaStream | null;
  /** What the picture really measures. */
  size: { width: number; height: number } | null;
  /** The browser was asked for a picture or a sound of any kind. */
  asked: boolean;
  /** It was asked for camera or microphone. */
  devicesAsked: boolean;
  busy: boolean;
  faults: Partial<Record<SourceKind, Fault>>;
  /** The sound as it was recorded, for music; else cleaned for speech. */
  rawSound: boolean;
}

export interface Output {
  video: MediaStreamTrack;
  audio: MediaStreamTrack | null;
  hint: 'motion' | 'detail';
}

/** The two switches, as they stand when the page opens. */
export interface Switches {
  cameraOn: boolean;
  microphoneOn: boolean;
}

const CAMERA_KEY = 'tallylight.camera';
const MICROPHONE_KEY = 'tallylight.microphone';
/** Remembered instead of a device: it was left out on purpose. */
const NONE = 'none';

export class Sources {
  readonly store: Store<SourcesState>;
  readonly meter = new LevelMeter();
  /** Told whenever other tracks go out. */
  onOutput: ((output: Output) => void) | null = null;

  #quality: Quality;
  #camera: MediaStreamTrack | null = null;
  #microphone: MediaStreamTrack | null = null;
  #screen: MediaStream | null = null;
  #slate: Slate | null = null;
  #audio: AudioContext | null = null;
  #mix: MediaStreamAudioDestinationNode | null = null;
  #closed = false;
  #opening: Promise<void> | null = null;
  /** What was pulled out. */
  readonly #lost: { camera?: string | undefined; microphone?: string | undefined } = {};

  constructor(qualityId: string, switches: Switches = { cameraOn: true, microphoneOn: true }) {
    this.#quality = qualityById(qualityId);
    this.store = new Store<SourcesState>({
      cameras: [],
      microphones: [],
      cameraId: null,
      microphoneId: null,
      cameraOn: switches.cameraOn,
      microphoneOn: switches.microphoneOn,
      picture: 'slate',
      screenSound: false,
      preview: null,
      size: null,
      asked: false,
      devicesAsked: false,
      busy: false,
      faults: {},
      rawSound: false,
    });
    navigator.mediaDevices?.addEventListener?.('devicechange', this.#devicesChanged);
    addEventListener('pointerdown', this.#wakeAudio);
    addEventListener('keydown', this.#wakeAudio);
  }

  /** Whether devices open without a question, because this page was allowed them before. */
  async allowedBefore(): Promise<boolean> {
    const [camera, microphone] = await Promise.all([permission('camera'), permission('microphone')]);
    return camera === 'granted' && microphone === 'granted';
  }

  /** Opens the camera and microphone used last, or the first ones, with one question, once at a time. */
  open(): Promise<void> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    this.store.set({ asked: true, devicesAsked: true, busy: true, faults: {} });
    const [camera, microphone] = [recall(CAMERA_KEY), recall(MICROPHONE_KEY)];
    const both = await getMedia({
      video: camera !== NONE && this.#cameraWish(camera),
      audio: microphone !== NONE && this.#microphoneWish(microphone),
    });
    if (both instanceof MediaStream) {
      this.#takeCamera(both.getVideoTracks()[0] ?? null);
      this.#takeMicrophone(both.getAudioTracks()[0] ?? null);
    } else {
      // One of them failed: find out which, and keep the other.
      if (camera !== NONE) await this.chooseCamera(camera ?? '');
      if (microphone !== NONE) await this.chooseMicrophone(microphone ?? '');
    }
    await this.#list();
    this.store.set({ busy: false });
    this.#output();
  }

  /** `''` is the browser's own choice, `null` none. */
  async chooseCamera(id: string | null): Promise<void> {
    if (id === null) {
      this.#takeCamera(null);
      this.#fault('camera', null);
      remember(CAMERA_KEY, NONE);
    } else {
      const opened = await this.#openDevice('camera', this.#camera, (from) => ({
        video: this.#cameraWish(from ?? id, from !== undefined),
      }));
      this.#takeCamera(opened.track);
      if (opened.wished) remember(CAMERA_KEY, opened.track?.getSettings().deviceId ?? '');
    }
    await this.#list();
    this.#output();
  }

  async chooseMicrophone(id: string | null): Promise<void> {
    if (id === null) {
      this.#takeMicrophone(null);
      this.#fault('microphone', null);
      remember(MICROPHONE_KEY, NONE);
    } else {
      const opened = await this.#openDevice('microphone', this.#microphone, (from) => ({
        audio: this.#microphoneWish(from ?? id, from !== undefined),
      }));
      this.#takeMicrophone(opened.track);
      if (opened.wished) remember(MICROPHONE_KEY, opened.track?.getSettings().deviceId ?? '');
    }
    await this.#list();
    this.#output();
  }

  async shareScreen(): Promise<void> {
    try {
      const { width, height, fps } = this.#quality;
      const screen = await navigator.mediaDevices.getDisplayMedia({
        video: { width: { max: width }, height: { max: height }, frameRate: { ideal: fps } },
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
      this.stopScreen();
      this.#screen = screen;
      this.store.set({ asked: true });
      screen.getVideoTracks()[0]?.addEventListener('ended', () => this.stopScreen());
      this.#fault('screen', null);
    } catch (error) {
      this.#fault('screen', explain(error, 'screen', { secure: isSecureContext, permission: null }));
    }
    this.#output();
  }

  stopScreen(): void {
    if (!this.#screen) return;
    for (const track of this.#screen.getTracks()) track.stop();
    this.#screen = null;
    this.#output();
  }

  setCameraOn(on: boolean): void {
    if (this.#camera) this.#camera.enabled = on;
    this.store.set({ cameraOn: on });
    this.#output();
  }

  setMicrophoneOn(on: boolean): void {
    if (this.#microphone) this.#microphone.enabled = on;
    this.store.set({ microphoneOn: on });
  }

  async setRawSound(raw: boolean): Promise<void> {
    this.store.set({ rawSound: raw });
    if (this.#microphone) await this.chooseMicrophone(this.store.get().microphoneId ?? '');
  }

  async setQuality(id: string): Promise<void> {
    this.#quality = qualityById(id);
    this.#slate?.stop();
    this.#slate = null;
    const { width, height, fps } = this.#quality;
    await this.#camera
      ?.applyConstraints({ width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: fps } })
      .catch(() => undefined);
    this.#output();
  }

  /** What goes out now. There is always a picture. */
  get output(): Output {
    const screen = this.#screen?.getVideoTracks()[0];
    const { cameraOn } = this.store.get();
    const video = screen ?? (this.#camera && cameraOn ? this.#camera : this.#slateTrack());
    const hint = screen ? 'detail' : 'motion';
    video.contentHint = hint;
    return { video, audio: this.#soundTrack(), hint };
  }

  close(): void {
    this.#closed = true;
    navigator.mediaDevices?.removeEventListener?.('devicechange', this.#devicesChanged);
    removeEventListener('pointerdown', this.#wakeAudio);
    removeEventListener('keydown', this.#wakeAudio);
    this.onOutput = null;
    this.meter.stop();
    this.#camera?.stop();
    this.#microphone?.stop();
    for (const track of this.#screen?.getTracks() ?? []) track.stop();
    this.#slate?.stop();
    void this.#audio?.close();
  }

  /**
   * Opens the wished device, and keeps or reopens the present one where that fails: `wish` is asked for
   * the wished one without an id, for the present one with its id.
   */
  async #openDevice(
    kind: 'camera' | 'microphone',
    present: MediaStreamTrack | null,
    wish: (from?: string) => MediaStreamConstraints,
  ): Promise<{ track: MediaStreamTrack | null; wished: boolean }> {
    this.store.set({ asked: true, devicesAsked: true });
    let opened = await getMedia(wish());
    let kept = present;
    if (!(opened instanceof MediaStream) && opened.name === 'NotReadableError' && present) {
      // Phones open one camera at a time.
      present.stop();
      kept = null;
      opened = await getMedia(wish());
    }
    if (opened instanceof MediaStream) {
      this.#fault(kind, null);
      return { track: opened.getTracks()[0] ?? null, wished: true };
    }
    const id = present?.getSettings().deviceId;
    if (present && !kept && id) {
      const again = await getMedia(wish(id));
      if (again instanceof MediaStream) kept = again.getTracks()[0] ?? null;
    }
    this.#fault(kind, explain(opened, kind, { secure: isSecureContext, permission: await permission(kind) }));
    return { track: kept, wished: false };
  }

  #cameraWish(id: string | null, exactly = false): MediaTrackConstraints {
    const { width, height, fps } = this.#quality;
    return {
      ...(id ? { deviceId: exactly ? { exact: id } : { ideal: id } } : {}),
      width: { ideal: width },
      height: { ideal: height },
      frameRate: { ideal: fps },
    };
  }

  #microphoneWish(id: string | null, exactly = false): MediaTrackConstraints {
    const clean = !this.store.get().rawSound;
    return {
      ...(id ? { deviceId: exactly ? { exact: id } : { ideal: id } } : {}),
      echoCancellation: clean,
      noiseSuppression: clean,
      autoGainControl: clean,
      channelCount: { ideal: clean ? 1 : 2 },
    };
  }

  #takeCamera(track: MediaStreamTrack | null): void {
    if (this.#closed) {
      track?.stop();
      return;
    }
    if (this.#camera === track && track) return;
    this.#camera?.stop();
    this.#camera = track;
    // What was switched off stays off, whichever device comes.
    if (track) track.enabled = this.store.get().cameraOn;
    track?.addEventListener('ended', () => {
      if (this.#camera !== track) return;
      this.#lost.camera = track.getSettings().deviceId;
      this.#takeCamera(null);
      this.#fault('camera', unplugged('camera'));
      this.#output();
    });
    this.store.set({ cameraId: track?.getSettings().deviceId ?? null });
  }

  #takeMicrophone(track: MediaStreamTrack | null): void {
    if (this.#closed) {
      track?.stop();
      return;
    }
    if (this.#microphone === track && track) return;
    this.#microphone?.stop();
    this.#microphone = track;
    if (track) track.enabled = this.store.get().microphoneOn;
    track?.addEventListener('ended', () => {
      if (this.#microphone !== track) return;
      this.#lost.microphone = track.getSettings().deviceId;
      this.#takeMicrophone(null);
      this.#fault('microphone', unplugged('microphone'));
      this.#output();
    });
    this.meter.listen(this.#context(), track);
    this.store.set({ microphoneId: track?.getSettings().deviceId ?? null });
  }

  #slateTrack(): MediaStreamTrack {
    const { faults, cameraOn, devicesAsked } = this.store.get();
    const text =
      this.#camera && !cameraOn
        ? 'Camera is off'
        : faults.camera?.cause === 'unplugged' || !devicesAsked
          ? 'Back in a moment'
          : 'Sound only';
    this.#slate ??= createSlate(this.#quality.width, this.#quality.height, text);
    this.#slate.say(text);
    return this.#slate.track;
  }

  /** The microphone as it is; mixed only when the screen brings sound too. */
  #soundTrack(): MediaStreamTrack | null {
    const screen = this.#screen?.getAudioTracks()[0];
    this.#mix?.disconnect();
    this.#mix = null;
    if (!screen) return this.#microphone;
    const context = this.#context();
    const mix = context.createMediaStreamDestination();
    for (const track of [screen, this.#microphone]) {
      if (track) context.createMediaStreamSource(new MediaStream([track])).connect(mix);
    }
    this.#mix = mix;
    return mix.stream.getAudioTracks()[0] ?? this.#microphone;
  }

  #output(): void {
    if (this.#closed) return;
    const { asked, preview } = this.store.get();
    if (!asked) return;
    const output = this.output;
    if (output.video !== this.#slate?.track) {
      this.#slate?.stop();
      this.#slate = null;
    }
    const same = preview?.getVideoTracks()[0] === output.video;
    const { width, height } = output.video.getSettings();
    this.store.set({
      picture: this.#screen ? 'screen' : output.video === this.#camera ? 'camera' : 'slate',
      screenSound: (this.#screen?.getAudioTracks().length ?? 0) > 0,
      preview: same ? preview : new MediaStream([output.video]),
      size: width && height ? { width, height } : null,
    });
    this.onOutput?.(output);
  }

  async #list(): Promise<void> {
    const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    const named = (kind: MediaDeviceKind, word: string) =>
      devices
        .filter((device) => device.kind === kind && device.deviceId !== '')
        .map((device, index) => ({ id: device.deviceId, label: device.label || `${word} ${index + 1}` }));
    this.store.set({
      cameras: named('videoinput', 'Camera'),
      microphones: named('audioinput', 'Microphone'),
    });
  }

  #fault(kind: SourceKind, fault: Fault | null): void {
    const { [kind]: _gone, ...others } = this.store.get().faults;
    this.store.set({ faults: fault ? { ...others, [kind]: fault } : others });
  }

  #context(): AudioContext {
    this.#audio ??= new AudioContext({ latencyHint: 'interactive' });
    return this.#audio;
  }

  /** A device that comes back is taken again; where none was found, the first one that comes. */
  readonly #devicesChanged = async () => {
    await this.#list();
    const { faults, cameras, microphones } = this.store.get();
    const came = (kind: 'camera' | 'microphone', devices: Device[]): string | undefined => {
      const cause = faults[kind]?.cause;
      if (cause === 'unplugged') return devices.find(({ id }) => id === this.#lost[kind])?.id;
      return cause === 'none' ? devices[0]?.id : undefined;
    };
    const camera = came('camera', cameras);
    const microphone = came('microphone', microphones);
    if (camera) await this.chooseCamera(camera);
    if (microphone) await this.chooseMicrophone(microphone);
  };

  readonly #wakeAudio = () => {
    if (this.#audio?.state === 'suspended') void this.#audio.resume();
  };
}

async function getMedia(wish: MediaStreamConstraints): Promise<MediaStream | DOMException> {
  try {
    if (!navigator.mediaDevices) throw new DOMException('No devices on this page.', 'SecurityError');
    if (!wish.video && !wish.audio) return new MediaStream();
    return await navigator.mediaDevices.getUserMedia(wish);
  } catch (error) {
    return error instanceof DOMException ? error : new DOMException(String(error), 'UnknownError');
  }
}

async function permission(name: 'camera' | 'microphone'): Promise<PermissionState | null> {
  try {
    return (await navigator.permissions.query({ name: name as PermissionName })).state;
  } catch {
    return null;
  }
}

function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function remember(key: string, id: string): void {
  try {
    localStorage.setItem(key, id);
  } catch {
    // The choice then lasts for this page.
  }
}
