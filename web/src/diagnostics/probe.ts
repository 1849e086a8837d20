/**
 * One try of one way to the server, by a peer connection of its own that is gone afterwards, on the server
 * too. Tells what was seen and judges nothing.
 */
import { end, offer, type Session } from '../session/signalling';
import { type Candidate, candidatesOf, keepOnly, type Protocol, place } from './candidates';
import { type Relay, relaysOf } from './relay';

export interface Way {
  /** Of the server's candidates that are tried. */
  protocol: Protocol;
  /** All goes through this one; `null`: straight. */
  relay: Relay | null;
}

/** What the server told in its answer. */
export interface Told {
  candidates: Candidate[];
  relays: Relay[];
}

/** What a relay, or the way to it, said when it gave no address (webrtc-pc §4.8.3). */
export interface RelayProblem {
  /** 701: it was not reached; else its own error (RFC 8656 §19). */
  code: number;
  words: string;
}

export interface Seen {
  /** `null`: the server did not answer within the time. */
  told: Told | null;
  /**
   * The browser told of candidates of its own for this way: of an address at the relay, where it leads through
   * one. Chromium tells of none over TCP to pages without a camera, and connects over it all the same.
   */
  canTry: boolean;
  relayProblem: RelayProblem | null;
  /** ICE came up, whether or not encryption followed. */
  isReached: boolean;
  isConnected: boolean;
  /** The server's address that answered. */
  address: string | null;
  rttMs: number | null;
}

/** How long one way may take, with its request. */
export const WITHIN_MS = 10_000;

/**
 * Tries one way.
 *
 * Throws a `SignallingError` when the server refuses the probe, and an `AbortError` when it is given up.
 */
export async function probe(
  url: string,
  way: Way,
  sound: MediaStreamTrack,
  signal: AbortSignal,
): Promise<Seen> {
  const pc = new RTCPeerConnection({
    bundlePolicy: 'max-bundle',
    iceTransportPolicy: way.relay ? 'relay' : 'all',
  });
  const seen: Seen = {
    told: null,
    canTry: false,
    relayProblem: null,
    isReached: false,
    isConnected: false,
    address: null,
    rttMs: null,
  };
  let session: Session | null = null;
  const over = deadline(signal);
  try {
    watch(pc, way, seen);
    pc.addTransceiver(sound, { direction: 'sendonly' });
    let relays: Relay[] = [];
    // Without the signal: an answer that comes late ends its probe, for the connection is closed by then.
    const opening = offer(pc, url, {
      chooseServers: (servers) => {
        relays = relaysOf(servers);
        return servers.filter(({ urls }) => way.relay !== null && [urls].flat().includes(way.relay.url));
      },
      editAnswer: (answer) => {
        seen.told = { candidates: candidatesOf(answer), relays };
        return keepOnly(answer, way.protocol);
      },
    });
    session = await Promise.race([opening, over.promise]);
    if (session && hasSome(seen, way)) {
      await Promise.race([settled(pc, way, seen), over.promise]);
      seen.isConnected = pc.connectionState === 'connected';
      if (seen.isConnected) await measure(pc, seen);
    }
    signal.throwIfAborted();
    return seen;
  } finally {
    over.clear();
    pc.close();
    // Before the next begins: the server has a bound on probes.
    if (session) await end(session);
  }
}

function hasSome({ told }: Seen, { protocol }: Way): boolean {
  return told?.candidates.some((candidate) => candidate.protocol === protocol) ?? false;
}

/** Resolves with `null` when the time is over or the probe is given up. */
function deadline(signal: AbortSignal): { promise: Promise<null>; clear: () => void } {
  let clear = () => {};
  const promise = new Promise<null>((resolve) => {
    const done = () => resolve(null);
    const timer = setTimeout(done, WITHIN_MS);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
    clear = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
    };
  });
  return { promise, clear };
}

function watch(pc: RTCPeerConnection, way: Way, seen: Seen): void {
  pc.addEventListener('icecandidate', ({ candidate }) => {
    if (!candidate?.candidate) return;
    if (way.relay ? candidate.type === 'relay' : candidate.protocol === way.protocol) seen.canTry = true;
  });
  pc.addEventListener('icecandidateerror', (event) => {
    const { errorCode, errorText } = event as RTCPeerConnectionIceErrorEvent;
    // What the relay itself says counts for more than that one network of several did not reach it.
    const isNews = seen.relayProblem === null || seen.relayProblem.code === NOT_REACHED;
    if (way.relay && isNews) seen.relayProblem = { code: errorCode, words: errorText };
  });
  pc.addEventListener('iceconnectionstatechange', () => {
    if (/^(connected|completed)$/.test(pc.iceConnectionState)) seen.isReached = true;
  });
}

/** webrtc-pc §4.8.3 */
export const NOT_REACHED = 701;

/** Until it is connected, or cannot be any more. */
function settled(pc: RTCPeerConnection, { protocol, relay }: Way, seen: Seen): Promise<null> {
  const tellsAll = relay !== null || protocol === 'udp';
  return new Promise((resolve) => {
    const look = () => {
      const nothingToTry = tellsAll && pc.iceGatheringState === 'complete' && !seen.canTry;
      if (/^(connected|failed|closed)$/.test(pc.connectionState) || nothingToTry) resolve(null);
    };
    pc.addEventListener('connectionstatechange', look);
    pc.addEventListener('icegatheringstatechange', look);
    look();
  });
}

/** Which pair it is and how far: a browser may know the round trip a moment later. */
async function measure(pc: RTCPeerConnection, seen: Seen): Promise<void> {
  for (let tries = 0; tries < 10 && seen.rttMs === null; tries += 1) {
    if (tries > 0) await new Promise((resolve) => setTimeout(resolve, 100));
    Object.assign(seen, selectedPair((await pc.getStats()) as ReadonlyMap<string, object>));
  }
}

/** The pair that media take, in the words of `getStats`. */
export function selectedPair(report: ReadonlyMap<string, object>): Pick<Seen, 'address' | 'rttMs'> {
  const all = [...report.values()] as Record<string, unknown>[];
  const selected = all.find(({ type }) => type === 'transport')?.selectedCandidatePairId;
  const pair =
    all.find(({ id }) => selected !== undefined && id === selected) ??
    all.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded');
  const remote = all.find(({ id }) => pair !== undefined && id === pair.remoteCandidateId);
  const [ip, port, rtt] = [remote?.address ?? remote?.ip, remote?.port, pair?.currentRoundTripTime];
  return {
    address: typeof ip === 'string' && typeof port === 'number' ? place({ ip, port }) : null,
    rttMs: typeof rtt === 'number' ? rtt * 1000 : null,
  };
}
