/** All findings as a text to ask for help with: no credentials, and no address of a session. */
import type { ConnectivityState } from './connectivity';
import { addressWords, type Verdict } from './words';

export interface ServerCheck {
  subject: string;
  verdict: Verdict;
  detail: string;
}

/** The whole report; `server` where the server's own checks are known. */
export function report(
  { checks, told }: Pick<ConnectivityState, 'checks' | 'told'>,
  server: readonly ServerCheck[],
  { page, browser, at }: { page: string; browser: string; at: number },
): string {
  const lines = [`Tallylight system report, ${page}, ${new Date(at).toISOString()}`, '', 'From the browser'];
  for (const { name, finding } of checks) {
    if (finding) lines.push(line(finding.verdict, name, finding.words));
  }
  if (told) {
    lines.push('', 'Addresses told by the server');
    lines.push(...told.candidates.map(addressWords), ...told.relays.map(({ url }) => url));
  }
  if (server.length > 0) {
    lines.push('', 'On the server');
    lines.push(...server.map(({ subject, verdict, detail }) => line(verdict, subject, detail)));
  }
  lines.push('', `Browser: ${browser}`);
  return lines.join('\n');
}

function line(verdict: Verdict, subject: string, words: string): string {
  return `[${verdict}] ${subject}: ${words}`;
}
