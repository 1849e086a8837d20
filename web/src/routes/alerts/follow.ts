/** The stream of alerts: by `fetch`, for an `EventSource` could not send the token in a header. */
import { backoffMs } from '../../chat/backoff';
import { type Alert, EventReader, readAlert } from '../../payments/alerts';

/** `refused`: the token is none. */
export type Link = 'waiting' | 'open' | 'refused';

/** The server says something every fifteen seconds; a connection that is silent for longer is none. */
const SILENT_MS = 40_000;

export function followAlerts(
  token: string,
  onAlert: (alert: Alert) => void,
  onLink: (link: Link) => void,
): () => void {
  const ended = new AbortController();
  const reader = () =>
    new EventReader((event, data) => {
      const alert = event === 'alert' ? readAlert(data) : null;
      if (alert) onAlert(alert);
    });
  const run = async () => {
    for (let attempt = 0; !ended.signal.aborted; attempt += 1) {
      const outcome = await listen(token, ended.signal, reader(), () => {
        attempt = 0;
        onLink('open');
      }).catch(() => 'lost' as const);
      if (ended.signal.aborted) return;
      onLink(outcome === 'refused' ? 'refused' : 'waiting');
      if (outcome === 'refused') return;
      await pause(backoffMs(attempt), ended.signal);
    }
  };
  void run();
  return () => ended.abort();
}

/** Reads until the stream ends. */
async function listen(
  token: string,
  ended: AbortSignal,
  reader: EventReader,
  onOpen: () => void,
): Promise<'refused' | 'lost'> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENT_MS);
  try {
    const response = await fetch('/alerts/events', {
      headers: { Authorization: `Bearer ${token}`, Accept: 'text/event-stream' },
      cache: 'no-store',
      signal: AbortSignal.any([ended, silence.signal]),
    });
    if (response.status === 401 || response.status === 404) return 'refused';
    if (!response.ok || !response.body) return 'lost';
    onOpen();
    const text = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await text.read();
      if (done) return 'lost';
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENT_MS);
      reader.read(value);
    }
  } finally {
    clearTimeout(timer);
  }
}

function pause(ms: number, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    ended.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
