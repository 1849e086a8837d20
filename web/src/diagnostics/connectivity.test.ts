import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SignallingError } from '../session/signalling';
import { Connectivity, relayName } from './connectivity';
import type { Seen, Told, Way } from './probe';
import { type Relay, relayOf } from './relay';

let sounds = 0;

beforeEach(() => {
  sounds = 0;
  vi.stubGlobal('RTCPeerConnection', class {});
  vi.stubGlobal(
    'AudioContext',
    class {
      createMediaStreamDestination() {
        sounds += 1;
        return { stream: { getAudioTracks: () => [{ stop: () => {} }] } };
      }
      async close() {
        sounds -= 1;
      }
    },
  );
});
afterEach(() => vi.unstubAllGlobals());

const UDP = { protocol: 'udp', ip: '203.0.113.7', port: 8189 } as const;
const TCP = { ...UDP, protocol: 'tcp' } as const;
const relays = (...urls: string[]) => urls.map((url) => relayOf(url) as Relay);

function seen(told: Told | null): Seen {
  return {
    told,
    canTry: true,
    relayProblem: null,
    isReached: true,
    isConnected: told !== null,
    address: '203.0.113.7:8189',
    rttMs: 12,
  };
}

/** One whose ways are tried by that function. */
function connectivity(tryWay: (way: Way, signal: AbortSignal) => Promise<Seen>) {
  const tried: string[] = [];
  const made = new Connectivity('/probes', async (_url, way, _sound, signal) => {
    tried.push(way.relay?.url ?? way.protocol);
    return tryWay(way, signal);
  });
  return {
    made,
    tried,
    rows: () => made.store.get().checks.map(({ name, finding }) => [name, finding?.verdict]),
  };
}

test('every way is tried, one after another, and each relay by itself', async () => {
  const told = { candidates: [UDP, TCP], relays: relays('turn:a', 'turn:a?transport=tcp', 'turns:a') };
  let running = 0;
  const { made, tried, rows } = connectivity(async () => {
    running += 1;
    expect(running).toBe(1);
    await Promise.resolve();
    running -= 1;
    return seen(told);
  });
  await made.check();
  expect(tried).toEqual(['udp', 'tcp', 'turn:a', 'turn:a?transport=tcp', 'turns:a']);
  expect(rows()).toEqual([
    ['Media over UDP', 'good'],
    ['Media over TCP', 'good'],
    ['Relay over UDP', 'good'],
    ['Relay over TCP', 'good'],
    ['Relay over TLS', 'good'],
  ]);
  expect(made.store.get()).toMatchObject({ phase: 'done', told, error: null });
  expect(sounds, 'the sound is given back').toBe(0);
});

test('what the server does not offer is told without a try', async () => {
  const { made, tried, rows } = connectivity(async () => seen({ candidates: [UDP], relays: [] }));
  await made.check();
  expect(tried).toEqual(['udp']);
  expect(rows()).toEqual([
    ['Media over UDP', 'good'],
    ['Media over TCP', 'careful'],
    ['Relay', 'careful'],
  ]);
});

test('a refusal of the first ends all in the server’s words, and one of another only that', async () => {
  const refusal = new SignallingError(429, 'busy', 'Too many probes run.', 1000);
  const none = connectivity(async () => {
    throw refusal;
  });
  await none.made.check();
  expect(none.made.store.get()).toMatchObject({ phase: 'failed', checks: [], error: 'Too many probes run.' });

  const one = connectivity(async (way) => {
    if (way.protocol === 'tcp') throw refusal;
    return seen({ candidates: [UDP, TCP], relays: relays('turn:a') });
  });
  await one.made.check();
  expect(one.rows()).toEqual([
    ['Media over UDP', 'good'],
    ['Media over TCP', 'careful'],
    ['Relay over UDP', 'good'],
  ]);
  expect(one.made.store.get().checks[1]?.finding?.words).toBe('Not checked: Too many probes run.');
});

test('a server that does not answer the first is told, for nothing is known of it', async () => {
  const { made } = connectivity(async () => seen(null));
  await made.check();
  expect(made.store.get()).toMatchObject({ phase: 'failed', error: expect.stringMatching(/did not answer/) });
});

test('who stops it keeps what is known by then, and nothing comes after', async () => {
  const { made, tried, rows } = connectivity(async (way, signal) => {
    if (way.protocol === 'udp') return seen({ candidates: [UDP, TCP], relays: relays('turn:a') });
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    throw signal.reason;
  });
  const whole = made.check();
  await vi.waitFor(() => expect(tried).toEqual(['udp', 'tcp']));
  made.stop();
  await whole;
  expect(tried).toEqual(['udp', 'tcp']);
  expect(rows()).toEqual([['Media over UDP', 'good']]);
  expect(made.store.get()).toMatchObject({ phase: 'stopped', error: null });
  expect(sounds).toBe(0);
});

test('a browser without WebRTC is told so', async () => {
  vi.stubGlobal('RTCPeerConnection', undefined);
  const { made } = connectivity(async () => seen(null));
  await made.check();
  expect(made.store.get()).toMatchObject({ phase: 'failed', error: expect.stringMatching(/no WebRTC/) });
});

test('relays that are got to alike are told apart by their address', () => {
  const [one, two, three] = relays('turn:a', 'turns:a', 'turns:b:443') as [Relay, Relay, Relay];
  const all = [one, two, three];
  expect(all.map((relay) => relayName(relay, all))).toEqual([
    'Relay over UDP',
    'Relay over TLS, a:5349',
    'Relay over TLS, b:443',
  ]);
});
