import { afterEach, expect, test, vi } from 'vitest';
import { offer, restartIce, SignallingError } from './signalling';

afterEach(() => vi.unstubAllGlobals());

function peer(): RTCPeerConnection & { applied: RTCSessionDescriptionInit[] } {
  const applied: RTCSessionDescriptionInit[] = [];
  return {
    applied,
    signalingState: 'have-local-offer',
    remoteDescription: { sdp: 'm=video\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\n' },
    createOffer: async () => ({
      type: 'offer',
      sdp: 'a=ice-ufrag:n\r\na=ice-pwd:m\r\nm=video\r\na=mid:0\r\n',
    }),
    setLocalDescription: async (description: RTCSessionDescriptionInit) => void applied.push(description),
    setRemoteDescription: async (description: RTCSessionDescriptionInit) => void applied.push(description),
  } as unknown as RTCPeerConnection & { applied: RTCSessionDescriptionInit[] };
}

function serverSays(status: number, body: string, headers: Record<string, string> = {}) {
  const seen: Request[] = [];
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    seen.push(new Request(url, { ...init, signal: null }));
    const response = new Response(body, { status, headers });
    Object.defineProperty(response, 'url', { value: url });
    return response;
  });
  return seen;
}

test('an offer gives a session with an absolute address and its links', async () => {
  const seen = serverSays(201, 'v=0', { Location: '/whep/sessions/ab', Link: '</x>; rel="r"' });
  const session = await offer(peer(), 'http://host/whep/ada');
  expect(session).toMatchObject({ url: 'http://host/whep/sessions/ab', links: [{ url: '/x', rel: 'r' }] });
  expect(seen[0]?.headers.get('content-type')).toBe('application/sdp');
});

test('who asks with some of the servers named in the answer uses those alone', async () => {
  serverSays(201, 'v=0', { Location: '/s', Link: '<turn:a>; rel="ice-server", <turn:b>; rel="ice-server"' });
  const set: RTCConfiguration[] = [];
  const able = (): RTCPeerConnection =>
    Object.assign(peer(), {
      getConfiguration: () => ({ iceTransportPolicy: 'relay' }),
      setConfiguration: (configuration: RTCConfiguration) => void set.push(configuration),
    });
  await offer(able(), 'http://host/x', { chooseServers: (servers) => servers.slice(1) });
  await offer(able(), 'http://host/x', { chooseServers: () => [] });
  await offer(able(), 'http://host/x');
  expect(set).toEqual([
    { iceTransportPolicy: 'relay', iceServers: [{ urls: 'turn:b' }] },
    { iceTransportPolicy: 'relay', iceServers: [{ urls: 'turn:a' }, { urls: 'turn:b' }] },
  ]);
});

test('a refusal carries status, code, words and the time to wait', async () => {
  serverSays(409, '{"code":"not_live","detail":"nobody is live"}', { 'Retry-After': '2' });
  const refused = await offer(peer(), 'http://host/whep/ada').catch((error) => error);
  expect(refused).toBeInstanceOf(SignallingError);
  expect(refused).toMatchObject({
    status: 409,
    code: 'not_live',
    message: 'Nobody is live.',
    retryAfterMs: 2000,
  });
});

test('a server that is not there has status 0', async () => {
  vi.stubGlobal('fetch', async () => {
    throw new TypeError('Failed to fetch');
  });
  await expect(offer(peer(), 'http://host/whep/ada')).rejects.toMatchObject({ status: 0 });
});

test('a connection that is closed while the answer is applied leaves no session behind', async () => {
  const seen = serverSays(201, 'v=0', { Location: '/whip/sessions/ab' });
  const closing = () => {
    const pc = peer();
    const setRemoteDescription = () => {
      Object.assign(pc, { signalingState: 'closed' });
      return new Promise(() => undefined);
    };
    return Object.assign(pc, { setRemoteDescription }) as RTCPeerConnection;
  };
  await expect(offer(closing(), 'http://host/whip/ada')).rejects.toMatchObject({ name: 'AbortError' });
  expect(seen.map(({ method }) => method)).toEqual(['POST', 'DELETE']);
  await expect(offer(closing(), 'http://host/whip/ada', { leaveLate: true })).rejects.toThrow();
  expect(seen.map(({ method }) => method)).toEqual(['POST', 'DELETE', 'POST']);
});

test('a refused restart leaves the connection as it was', async () => {
  serverSays(404, '{}');
  const pc = peer();
  await expect(restartIce(pc, { url: 'http://host/s', links: [] })).rejects.toMatchObject({ status: 404 });
  expect(pc.applied.map(({ type }) => type)).toEqual(['offer', 'rollback']);
});

test('a restart is a PATCH with If-Match and applies the new credentials', async () => {
  const seen = serverSays(200, 'a=ice-ufrag:srv\r\na=ice-pwd:pw\r\n', { ETag: '"2"' });
  const pc = peer();
  await restartIce(pc, { url: 'http://host/s', links: [] });
  expect(seen[0]?.method).toBe('PATCH');
  expect(seen[0]?.headers.get('if-match')).toBe('*');
  expect(seen[0]?.headers.get('content-type')).toBe('application/trickle-ice-sdpfrag');
  expect(pc.applied[1]).toMatchObject({ type: 'answer', sdp: expect.stringContaining('a=ice-ufrag:srv') });
});

test('restarts of one session do not overlap', async () => {
  const seen = serverSays(200, 'a=ice-ufrag:srv\r\na=ice-pwd:pw\r\n');
  const pc = peer();
  const session = { url: 'http://host/s', links: [] };
  await Promise.all([restartIce(pc, session), restartIce(pc, session)]);
  expect(seen).toHaveLength(1);
  expect(pc.applied.map(({ type }) => type)).toEqual(['offer', 'answer']);
  await restartIce(pc, session);
  expect(seen).toHaveLength(2);
});
