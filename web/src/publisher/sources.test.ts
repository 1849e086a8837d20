import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Sources } from './sources';

class FakeTrack extends EventTarget {
  enabled = true;
  contentHint = '';
  readyState = 'live';

  constructor(
    readonly kind: 'video' | 'audio',
    readonly deviceId: string,
  ) {
    super();
  }

  getSettings = () => ({ deviceId: this.deviceId, width: 1280, height: 720 });
  stop(): void {
    this.readyState = 'ended';
  }
  /** What a pulled plug does. */
  unplug(): void {
    this.stop();
    this.dispatchEvent(new Event('ended'));
  }
}

class FakeStream {
  constructor(readonly tracks: FakeTrack[] = []) {}
  getTracks = () => this.tracks;
  getVideoTracks = () => this.tracks.filter(({ kind }) => kind === 'video');
  getAudioTracks = () => this.tracks.filter(({ kind }) => kind === 'audio');
}

/** The computer's devices: `plugged` is what there is, `opens` what happens to who asks for one. */
class Devices extends EventTarget {
  plugged = ['cam1', 'cam2', 'mic1'];
  opens: (id: string) => void = () => undefined;
  readonly tracks: FakeTrack[] = [];

  #open(kind: 'video' | 'audio', wish: unknown): FakeTrack {
    const { deviceId } = (typeof wish === 'object' ? wish : {}) as {
      deviceId?: { ideal?: string; exact?: string };
    };
    const prefix = kind === 'video' ? 'cam' : 'mic';
    const there = this.plugged.filter((id) => id.startsWith(prefix));
    const wished = deviceId?.exact ?? deviceId?.ideal ?? '';
    const id = there.includes(wished) ? wished : deviceId?.exact ? undefined : there[0];
    if (!id) throw new DOMException('none', 'NotFoundError');
    this.opens(id);
    const track = new FakeTrack(kind, id);
    this.tracks.push(track);
    return track;
  }

  getUserMedia = async ({ video, audio }: MediaStreamConstraints) =>
    new FakeStream([
      ...(video ? [this.#open('video', video)] : []),
      ...(audio ? [this.#open('audio', audio)] : []),
    ]);
  getDisplayMedia = async () => new FakeStream([new FakeTrack('video', 'screen')]);
  enumerateDevices = async () =>
    this.plugged.map((id) => ({
      deviceId: id,
      label: id,
      kind: id.startsWith('cam') ? 'videoinput' : 'audioinput',
    }));
}

vi.mock('./level', () => ({
  LevelMeter: class {
    listen(): void {}
    stop(): void {}
  },
}));
vi.mock('./slate', () => ({
  createSlate: () => ({
    track: new FakeTrack('video', 'slate'),
    say: () => undefined,
    stop: () => undefined,
  }),
}));

let devices: Devices;
let sources: Sources;

beforeEach(() => {
  devices = new Devices();
  vi.stubGlobal('navigator', { mediaDevices: devices });
  vi.stubGlobal('isSecureContext', true);
  vi.stubGlobal('MediaStream', FakeStream);
  vi.stubGlobal('AudioContext', class {});
  vi.stubGlobal('addEventListener', () => undefined);
  vi.stubGlobal('removeEventListener', () => undefined);
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
  sources = new Sources('720p30');
});

afterEach(() => vi.unstubAllGlobals());

const state = () => sources.store.get();
const camera = () => devices.tracks.filter(({ kind }) => kind === 'video').at(-1) as FakeTrack;
const goesOut = () => (sources.output.video as unknown as FakeTrack).deviceId;

/** Plugging in or out, as the browser tells it. */
async function devicesChange(): Promise<void> {
  devices.dispatchEvent(new Event('devicechange'));
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test('a camera that is switched off stays off when another is chosen', async () => {
  await sources.open();
  sources.setCameraOn(false);
  await sources.chooseCamera('cam2');
  expect(state()).toMatchObject({ cameraOn: false, cameraId: 'cam2', picture: 'slate' });
  expect(camera().enabled).toBe(false);
  expect(goesOut()).toBe('slate');
});

test('a camera that comes back after it was switched off stays off', async () => {
  await sources.open();
  sources.setCameraOn(false);
  camera().unplug();
  await devicesChange();
  expect(state()).toMatchObject({ cameraOn: false, picture: 'slate' });
  sources.setCameraOn(true);
  expect(goesOut()).toBe('cam1');
});

test('a page that opens with both switches off sends neither', async () => {
  sources = new Sources('720p30', { cameraOn: false, microphoneOn: false });
  await sources.open();
  expect(devices.tracks.map(({ enabled }) => enabled)).toEqual([false, false]);
  expect(goesOut()).toBe('slate');
});

test('a device that was left out on purpose is left out next time', async () => {
  await sources.open();
  await sources.chooseCamera(null);
  const next = new Sources('720p30');
  await next.open();
  expect(next.store.get()).toMatchObject({ cameraId: null, microphoneId: 'mic1', picture: 'slate' });
});

test('a device that does not open leaves the working one', async () => {
  await sources.open();
  devices.opens = (id) => {
    if (id === 'cam2') throw new DOMException('broken', 'NotFoundError');
  };
  await sources.chooseCamera('cam2');
  expect(state()).toMatchObject({
    cameraId: 'cam1',
    picture: 'camera',
    faults: { camera: { cause: 'none' } },
  });
  expect(camera().readyState).toBe('live');
});

test('a working device that was given up for another in vain is opened again', async () => {
  await sources.open();
  devices.opens = (id) => {
    if (id !== 'cam1') throw new DOMException('in use', 'NotReadableError');
  };
  await sources.chooseCamera('cam2');
  expect(state()).toMatchObject({ cameraId: 'cam1', faults: { camera: { cause: 'in_use' } } });
  expect(goesOut()).toBe('cam1');
  expect(camera().readyState).toBe('live');
});

test('with no device left there is a still picture, and no sound', async () => {
  await sources.open();
  devices.opens = () => {
    throw new DOMException('in use', 'NotReadableError');
  };
  await sources.chooseCamera('cam2');
  await sources.chooseMicrophone('mic1');
  expect(state()).toMatchObject({ cameraId: null, microphoneId: null, picture: 'slate' });
  expect(goesOut()).toBe('slate');
  expect(sources.output.audio).toBeNull();
});

test('a pulled camera is no longer the chosen one, and only itself comes back by itself', async () => {
  await sources.open();
  devices.plugged = ['cam2', 'mic1'];
  camera().unplug();
  await devicesChange();
  expect(state()).toMatchObject({
    cameraId: null,
    picture: 'slate',
    faults: { camera: { cause: 'unplugged' } },
  });
  devices.plugged = ['cam2', 'cam1', 'mic1'];
  await devicesChange();
  expect(state()).toMatchObject({ cameraId: 'cam1', picture: 'camera', faults: {} });
});

test('a shared screen alone is enough to go live with, and leaves a still picture behind', async () => {
  await sources.shareScreen();
  expect(state()).toMatchObject({ asked: true, devicesAsked: false, picture: 'screen' });
  sources.stopScreen();
  expect(state().picture).toBe('slate');
  await sources.open();
  expect(state()).toMatchObject({ devicesAsked: true, picture: 'camera' });
});
