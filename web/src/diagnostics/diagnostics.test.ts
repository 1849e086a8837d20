import { expect, test } from 'vitest';
import { candidatesOf, keepOnly, place, reachOf } from './candidates';
import { type Seen, selectedPair, type Way } from './probe';
import { relayOf, relaysOf } from './relay';
import { report } from './report';
import { judge, roundTrip, tally } from './words';

const UDP = 'a=candidate:1 1 udp 2130706431 203.0.113.7 8189 typ host';
const SIX = 'a=candidate:2 1 UDP 2130706175 2001:db8::7 8189 typ host';
const TCP = 'a=candidate:3 1 tcp 1518280447 203.0.113.7 8189 typ host tcptype passive';
const ANSWER = `v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n${UDP}\r\n${SIX}\r\n${UDP}\r\n${TCP}\r\na=end-of-candidates\r\n`;

test('the candidates of an answer are read, each once', () => {
  expect(candidatesOf(ANSWER).map((candidate) => `${candidate.protocol} ${place(candidate)}`)).toEqual([
    'udp 203.0.113.7:8189',
    'udp [2001:db8::7]:8189',
    'tcp 203.0.113.7:8189',
  ]);
});

test('an answer keeps the candidates of one protocol, and all its other lines', () => {
  expect(keepOnly(ANSWER, 'udp')).toBe(ANSWER.replace(`${TCP}\r\n`, ''));
  expect(candidatesOf(keepOnly(ANSWER, 'tcp'))).toEqual([{ protocol: 'tcp', ip: '203.0.113.7', port: 8189 }]);
});

test('it is known who can reach an address', () => {
  const reached = (reach: string, ...ips: string[]) =>
    expect(ips.map((ip) => [ip, reachOf(ip)])).toEqual(ips.map((ip) => [ip, reach]));
  reached('loopback', '127.0.0.1', '127.8.0.1', '::1', '::ffff:127.0.0.1');
  reached('private', '10.0.0.5', '172.16.0.1', '172.31.9.9', '192.168.1.2', '100.64.0.1', '169.254.3.4');
  reached('private', 'fd00::1', 'FC00::2', 'fe80::1', '::ffff:10.0.0.1');
  reached('public', '203.0.113.7', '172.32.0.1', '100.128.0.1', '11.0.0.1', '2001:db8::1');
});

test('the address of a relay is read with what it leaves out', () => {
  const read = (url: string) => {
    const relay = relayOf(url);
    return relay && `${relay.place} ${relay.by}`;
  };
  expect(read('turn:live.example.org:3478?transport=udp')).toBe('live.example.org:3478 UDP');
  expect(read('turn:[2001:db8::7]:3479?transport=tcp')).toBe('[2001:db8::7]:3479 TCP');
  expect(read('turns:live.example.org?transport=tcp')).toBe('live.example.org:5349 TLS');
  expect(read('turn:live.example.org')).toBe('live.example.org:3478 UDP');
  expect(read('stun:live.example.org')).toBeNull();
  expect(relaysOf([{ urls: ['turn:a', 'stun:a'] }, { urls: 'turn:a' }])).toHaveLength(1);
});

const STRAIGHT: Way = { protocol: 'udp', relay: null };
const BY_TCP: Way = { protocol: 'tcp', relay: null };
const through = (url: string): Way => ({ protocol: 'udp', relay: relayOf(url) });
const RELAYED = through('turn:live.example.org:3478?transport=udp');

function seen(patch: Partial<Seen> = {}, sdp = ANSWER): Seen {
  return {
    told: { candidates: candidatesOf(sdp), relays: [] },
    canTry: true,
    relayProblem: null,
    isReached: false,
    isConnected: false,
    address: null,
    rttMs: null,
    ...patch,
  };
}

test('what connects is good, with the address and the round trip', () => {
  const connected = seen({ isConnected: true, isReached: true, address: '203.0.113.7:8189', rttMs: 12.4 });
  expect(judge(STRAIGHT, connected)).toEqual({
    verdict: 'good',
    words: 'Reached 203.0.113.7:8189, round trip 12\u00a0ms.',
  });
  expect(judge(RELAYED, connected).words).toBe(
    'Reached 203.0.113.7:8189 through live.example.org:3478, round trip 12\u00a0ms.',
  );
  expect(judge(STRAIGHT, { ...connected, address: null, rttMs: null }).words).toBe('Reached the server.');
  expect(roundTrip(0.4)).toBe('less than 1\u00a0ms');
});

test('silence over UDP or TCP names the port and what to set', () => {
  expect(judge(STRAIGHT, seen())).toEqual({
    verdict: 'bad',
    words:
      'No answer over UDP. Let UDP port 8189 through the firewall and the router; behind NAT set media.public_ips.',
  });
  expect(judge(BY_TCP, seen()).words).toMatch(/^No answer over TCP\. Let TCP port 8189 through/);
  const home = seen({}, ANSWER.replaceAll('203.0.113.7', '192.168.1.9').replaceAll('2001:db8::7', 'fd00::1'));
  expect(judge(STRAIGHT, home).words).toMatch(
    /^No answer over UDP\. 192\.168\.1\.9 is an address of a private/,
  );
  const own = seen({}, ANSWER.replaceAll('203.0.113.7', '127.0.0.1').replaceAll('2001:db8::7', '::1'));
  expect(judge(STRAIGHT, own).words).toMatch(/127\.0\.0\.1 leads nowhere but .*let UDP port 8189 through/);
});

test('what is off, or what this browser cannot do, is not told as a fault of the network', () => {
  expect(judge(BY_TCP, seen({}, `${UDP}\r\n`))).toMatchObject({
    verdict: 'careful',
    words: expect.stringMatching(/^Off: media\.tcp is false/),
  });
  expect(judge(STRAIGHT, seen({ canTry: false }))).toMatchObject({ verdict: 'careful' });
  expect(judge(BY_TCP, seen({ canTry: false }))).toMatchObject({
    verdict: 'careful',
    words: expect.stringMatching(/^No answer over TCP\. It may be this browser.* Let TCP port 8189 through/),
  });
  expect(judge(STRAIGHT, seen({}, `${TCP}\r\n`)).words).toMatch(/told no address for UDP/);
  expect(judge(STRAIGHT, seen({ told: null }))).toMatchObject({ verdict: 'careful' });
});

test('encryption that does not come up is told apart from silence', () => {
  expect(judge(STRAIGHT, seen({ isReached: true })).words).toMatch(
    /^The server answered over UDP, but encryption/,
  );
});

test('a relay is judged by how far it was got with', () => {
  const nothing = seen({ canTry: false, relayProblem: { code: 701, words: 'timed out' } });
  expect(judge(RELAYED, nothing).words).toBe(
    'The relay at live.example.org:3478 (UDP) was not reached. Let UDP port 3478 through.',
  );
  expect(judge(through('turns:live.example.org?transport=tcp'), nothing).words).toBe(
    'The relay at live.example.org:5349 (TLS) was not reached. Let TCP port 5349 through. Its certificate must be one that browsers trust.',
  );
  const nameless = { code: 701, words: 'TURN host lookup received error.' };
  expect(judge(RELAYED, seen({ canTry: false, relayProblem: nameless })).words).toMatch(
    /its name leads nowhere/,
  );
  const refused = (code: number) =>
    judge(RELAYED, seen({ canTry: false, relayProblem: { code, words: '' } }));
  expect(refused(401).words).toMatch(/refused: its secret is another one/);
  expect(refused(486).words).toMatch(/it is full/);
  expect(refused(500).words).toMatch(/refused: 500\. Look at its log/);
  expect(judge(RELAYED, seen()).words).toMatch(
    /answered, but .* Let it send to 203\.0\.113\.7:8189 and \[2001/,
  );
});

test('the pair in use tells the address and the round trip', () => {
  const stats = (...all: object[]) => new Map(all.map((entry, at) => [String(at), entry]));
  const remote = { id: 'r', type: 'remote-candidate', address: '203.0.113.7', port: 8189 };
  const other = {
    id: 'x',
    type: 'candidate-pair',
    nominated: true,
    state: 'succeeded',
    remoteCandidateId: 'y',
  };
  const pair = { ...other, id: 'p', remoteCandidateId: 'r', currentRoundTripTime: 0.0125 };
  const transport = { id: 't', type: 'transport', selectedCandidatePairId: 'p' };
  const wanted = { address: '203.0.113.7:8189', rttMs: 12.5 };
  expect(selectedPair(stats(other, pair, remote, transport))).toEqual(wanted);
  // Firefox tells of no selected pair.
  expect(selectedPair(stats(pair, remote))).toEqual(wanted);
  expect(selectedPair(stats())).toEqual({ address: null, rttMs: null });
});

test('a report tells all that was found, and no secret', () => {
  const finding = judge(STRAIGHT, seen());
  const text = report(
    {
      checks: [
        { name: 'Media over UDP', state: 'done', finding },
        { name: 'Media over TCP', state: 'waiting', finding: null },
      ],
      told: {
        candidates: candidatesOf(`${UDP}\r\n`),
        relays: relaysOf([{ urls: 'turn:a', credential: 'geheim' }]),
      },
    },
    [{ subject: 'clock', verdict: 'good', detail: 'it is right' }],
    { page: 'https://live.example.org', browser: 'Browser 1', at: 0 },
  );
  expect(text).toBe(
    [
      'Tallylight system report, https://live.example.org, 1970-01-01T00:00:00.000Z',
      '',
      'From the browser',
      `[bad] Media over UDP: ${finding.words}`,
      '',
      'Addresses told by the server',
      '203.0.113.7:8189 (UDP): on the internet',
      'turn:a',
      '',
      'On the server',
      '[good] clock: it is right',
      '',
      'Browser: Browser 1',
    ].join('\n'),
  );
});

test('a tally begins with what must be changed', () => {
  expect(tally(['good', 'careful', 'good', 'bad'])).toBe('1 bad, 1 careful, 2 good');
  expect(tally([])).toBe('');
});
