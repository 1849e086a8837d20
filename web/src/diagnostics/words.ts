/** What was seen on one way to the server, as a verdict and a sentence that says what to change. */
import { type Candidate, place, reachOf } from './candidates';
import { NOT_REACHED, type Seen, type Told, type Way } from './probe';
import type { Relay } from './relay';

export type Verdict = 'good' | 'careful' | 'bad';

export interface Finding {
  verdict: Verdict;
  words: string;
}

export function judge(way: Way, seen: Seen): Finding {
  if (seen.isConnected) return good(success(way, seen));
  if (!seen.told) return careful('The server did not answer the request within 10 seconds. Check again.');
  return way.relay ? byRelay(way.relay, seen, seen.told) : straight(way, seen, seen.told);
}

/** "1 bad, 2 careful, 9 good". */
export function tally(verdicts: readonly Verdict[]): string {
  return (['bad', 'careful', 'good'] as const)
    .map((verdict) => [verdicts.filter((one) => one === verdict).length, verdict] as const)
    .filter(([count]) => count > 0)
    .map(([count, verdict]) => `${count} ${verdict}`)
    .join(', ');
}

/** "12 ms", on one line. */
export function roundTrip(ms: number): string {
  return ms < 1 ? 'less than 1\u00a0ms' : `${Math.round(ms)}\u00a0ms`;
}

/** "203.0.113.7:8189 (UDP): on the internet". */
export function addressWords(candidate: Candidate): string {
  return `${place(candidate)} (${candidate.protocol.toUpperCase()}): ${REACHES[reachOf(candidate.ip)]}`;
}

export const REACHES = {
  public: 'on the internet',
  private: 'of a private network',
  loopback: 'of the server’s own machine',
} as const;

export const TCP_OFF = careful(
  'Off: media.tcp is false. Networks that block UDP then have relays and HLS alone.',
);
export const NO_RELAY = careful('No TURN server: set turn.listen, or turn.servers to another.');

export function refused(words: string): Finding {
  return careful(`Not checked: ${words}`);
}

function success({ relay }: Way, { address, rttMs }: Seen): string {
  const through = relay ? ` through ${relay.place}` : '';
  const trip = rttMs === null ? '' : `, round trip ${roundTrip(rttMs)}`;
  return `Reached ${address ?? 'the server'}${through}${trip}.`;
}

function straight({ protocol }: Way, seen: Seen, told: Told): Finding {
  const name = protocol.toUpperCase();
  const candidates = told.candidates.filter((candidate) => candidate.protocol === protocol);
  if (candidates.length === 0) return protocol === 'tcp' ? TCP_OFF : bad(NO_ADDRESS);
  if (seen.isReached) return bad(`The server answered over ${name}, ${NO_ENCRYPTION}`);
  if (!seen.canTry && protocol === 'udp')
    return careful('This browser connects to nobody over UDP. Check with another one.');
  if (!seen.canTry) return careful(`No answer over TCP. ${MAY_LACK_TCP} ${advice(name, candidates)}`);
  return bad(`No answer over ${name}. ${advice(name, candidates)}`);
}

/** What to change where nothing comes back. */
function advice(name: string, candidates: Candidate[]): string {
  const port = `${name} ${ports(candidates)}`;
  const reaches = new Set(candidates.map(({ ip }) => reachOf(ip)));
  const [only] = candidates;
  if (reaches.has('public') || !only) {
    return `Let ${port} through the firewall and the router; behind NAT set media.public_ips.`;
  }
  if (reaches.has('private')) {
    return `${only.ip} is an address of a private network: from outside of it set media.public_ips to the public address, and let ${port} through the firewall and the router.`;
  }
  return `${only.ip} leads nowhere but to the machine itself: set media.bind to 0.0.0.0 and media.public_ips to the address that viewers reach, and let ${port} through.`;
}

/** "port 8189", "ports 8189 and 8190". */
function ports(candidates: Candidate[]): string {
  const all = [...new Set(candidates.map(({ port }) => port))];
  return `${all.length === 1 ? 'port' : 'ports'} ${all.join(' and ')}`;
}

function byRelay(relay: Relay, seen: Seen, told: Told): Finding {
  const name = `The relay at ${relay.place} (${relay.by})`;
  if (seen.isReached) return bad(`${name} works, ${NO_ENCRYPTION}`);
  if (seen.canTry) {
    const targets = told.candidates.filter(({ protocol }) => protocol === 'udp').map(place);
    return bad(
      `${name} answered, but media do not get from there to the server. Let it send to ${targets.join(' and ') || 'the media port'} (UDP).`,
    );
  }
  const problem = seen.relayProblem;
  if (problem && problem.code !== NOT_REACHED) return bad(`${name} refused: ${refusal(problem)}`);
  // No code of its own: so Chromium says that there is no such name.
  if (problem && /lookup/i.test(problem.words)) {
    return bad(
      `${name} was not reached: its name leads nowhere. Look at turn.host or turn.servers, and at the name’s A record.`,
    );
  }
  const certificate = relay.by === 'TLS' ? ' Its certificate must be one that browsers trust.' : '';
  return bad(`${name} was not reached. Let ${port(relay)} through.${certificate}`);
}

/** "UDP port 3478", "port 5349": TLS is TCP to a firewall. */
function port({ by, port: number }: Relay): string {
  return `${by === 'UDP' ? 'UDP' : 'TCP'} port ${number}`;
}

/** RFC 8656 §19 */
function refusal({ code, words }: { code: number; words: string }): string {
  if (code === 401 || code === 438) {
    return 'its secret is another one. Give both the same turn.secret, and set both clocks.';
  }
  if (code === 486 || code === 508) return 'it is full. Raise turn.allocations, or wait.';
  if (code === 403) return 'it is not allowed to relay. Look at its list of peers.';
  return `${code}${words ? ` ${words.replace(/\.$/, '')}` : ''}. Look at its log.`;
}

const NO_ADDRESS = 'The server told no address for UDP. Look at media.bind and media.public_ips.';
const MAY_LACK_TCP = 'It may be this browser, which told of no TCP of its own: check with another one, too.';
const NO_ENCRYPTION =
  'but encryption (DTLS) did not come up. A firewall may inspect UDP, or drop large packets.';

function good(words: string): Finding {
  return { verdict: 'good', words };
}
function careful(words: string): Finding {
  return { verdict: 'careful', words };
}
function bad(words: string): Finding {
  return { verdict: 'bad', words };
}
