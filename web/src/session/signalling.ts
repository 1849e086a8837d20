/**
 * The HTTP side of a session (RFC 9725, WHEP draft): offer, ICE restart, end. Knows neither who
 * publishes nor who watches; the caller owns the peer connection.
 */

import { sentence } from '../words';
import { applyRestart, restartFragment } from './fragment';
import { iceServers, type Link, parseLinks } from './link';

export interface Session {
  /** The session URL: secret, good for PATCH and DELETE. */
  url: string;
  links: Link[];
}

/** What went wrong, in the server's words where it said any. */
export class SignallingError extends Error {
  /** 0: the server was not reached. */
  readonly status: number;
  /** The stable `code` of the problem document, if there was one. */
  readonly code: string | null;
  readonly retryAfterMs: number | null;

  constructor(status: number, code: string | null, message: string, retryAfterMs: number | null) {
    super(message);
    this.name = 'SignallingError';
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Sends the offer and gives the answer to the peer connection. The offer waits for no candidate. An
 * answer that comes when the connection is closed already ends its session, unless `leaveLate`.
 */
export async function offer(
  pc: RTCPeerConnection,
  url: string,
  options: {
    signal?: AbortSignal;
    editAnswer?: (sdp: string) => string;
    /** Those of the servers named in the answer that are used; all, where this is not given. */
    chooseServers?: (servers: RTCIceServer[]) => RTCIceServer[];
    leaveLate?: boolean;
  } = {},
): Promise<Session> {
  const description = await pc.createOffer();
  const response = await send(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp', Accept: 'application/sdp' },
    body: description.sdp ?? '',
    signal: options.signal ?? null,
  });
  const location = response.headers.get('Location');
  if (!location) throw new SignallingError(response.status, null, 'The server named no session.', null);
  const answer = await response.text();
  const session = {
    url: new URL(location, response.url).href,
    links: parseLinks(response.headers.get('Link')),
  };
  if (isClosed(pc)) {
    if (!options.leaveLate) void end(session);
    throw closedMeanwhile();
  }
  // Candidates are gathered from here on, so that those of the servers named in the answer are among them.
  const told = iceServers(session.links);
  const servers = options.chooseServers?.(told) ?? told;
  try {
    if (servers.length > 0) pc.setConfiguration({ ...pc.getConfiguration(), iceServers: servers });
    await unlessClosed(pc, pc.setLocalDescription(description));
    const sdp = options.editAnswer?.(answer) ?? answer;
    await unlessClosed(pc, pc.setRemoteDescription({ type: 'answer', sdp }));
  } catch (error) {
    if (!isClosed(pc) || !options.leaveLate) void end(session);
    throw error;
  }
  return session;
}

/** A connection that is closed meanwhile never settles what it was asked for, and tells nobody (webrtc-pc §4.4.1.5). */
function unlessClosed(pc: RTCPeerConnection, asked: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      if (!isClosed(pc)) return;
      clearInterval(timer);
      reject(closedMeanwhile());
    }, LOOK_MS);
    asked.then(resolve, reject).finally(() => clearInterval(timer));
  });
}

function isClosed(pc: RTCPeerConnection): boolean {
  return pc.signalingState === 'closed';
}

function closedMeanwhile(): DOMException {
  return new DOMException('The session was closed while the server answered.', 'AbortError');
}

const LOOK_MS = 100;

const restarts = new WeakMap<Session, Promise<void>>();

/**
 * Restarts ICE on a running session by PATCH; the peer connection stays as it was when that fails. Who
 * asks while a restart runs waits for that one.
 */
export function restartIce(pc: RTCPeerConnection, session: Session, signal?: AbortSignal): Promise<void> {
  const running = restarts.get(session);
  if (running) return running;
  const restart = patchIce(pc, session, signal).finally(() => restarts.delete(session));
  restarts.set(session, restart);
  return restart;
}

async function patchIce(pc: RTCPeerConnection, session: Session, signal?: AbortSignal): Promise<void> {
  const before = pc.remoteDescription?.sdp;
  if (!before) throw new Error('There is no session to restart.');
  const description = await pc.createOffer({ iceRestart: true });
  await pc.setLocalDescription(description);
  try {
    const response = await send(session.url, {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*' },
      body: restartFragment(description.sdp ?? ''),
      signal: signal ?? null,
    });
    const sdp = applyRestart(before, await response.text());
    await pc.setRemoteDescription({ type: 'answer', sdp });
  } catch (error) {
    if (pc.signalingState === 'have-local-offer') await pc.setLocalDescription({ type: 'rollback' });
    throw error;
  }
}

/**
 * Tells when the other end closed the session for good. The connection state does not: with DTLS closed
 * it stays "connected" until consent runs out half a minute later.
 */
export function onClosedByServer(pc: RTCPeerConnection, tell: () => void): void {
  const [transceiver] = pc.getTransceivers();
  const transport = transceiver?.sender.transport ?? transceiver?.receiver.transport;
  transport?.addEventListener('statechange', () => {
    if (isClosed(pc)) return;
    if (transport.state === 'closed' || transport.state === 'failed') tell();
  });
}

/** Ends the session on the server. One that is gone already is fine; the page may be closing. */
export async function end(session: Session): Promise<void> {
  await fetch(session.url, { method: 'DELETE', keepalive: true }).catch(() => undefined);
}

async function send(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, cache: 'no-store' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new SignallingError(0, null, 'The server cannot be reached.', null);
  }
  if (response.ok) return response;
  throw await refusal(response);
}

async function refusal(response: Response): Promise<SignallingError> {
  const seconds = Number.parseFloat(response.headers.get('Retry-After') ?? '');
  const problem = (await response.json().catch(() => ({}))) as {
    code?: string;
    detail?: string;
    title?: string;
  };
  return new SignallingError(
    response.status,
    problem.code ?? null,
    sentence(problem.detail ?? problem.title ?? `The server answered ${response.status}`),
    Number.isFinite(seconds) ? seconds * 1000 : null,
  );
}
