import { useEffect, useState, useSyncExternalStore } from 'react';
import { reachOf } from '../../diagnostics/candidates';
import { type Check, Connectivity, type ConnectivityState } from '../../diagnostics/connectivity';
import type { Told } from '../../diagnostics/probe';
import { report, type ServerCheck } from '../../diagnostics/report';
import { addressWords, tally } from '../../diagnostics/words';
import { Announce } from '../../ui/announce';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { CopyButton } from '../../ui/copy';
import { Notice } from '../../ui/notice';
import { FindingRow } from './finding_row';

/** Whether media get here, by each way there is; stops when the page is left. */
export function BrowserCard({ server }: { server: readonly ServerCheck[] }) {
  const [connectivity] = useState(() => new Connectivity('/api/admin/connectivity'));
  const state = useSyncExternalStore(connectivity.store.subscribe, connectivity.store.get);
  useEffect(() => {
    const stop = () => connectivity.stop();
    window.addEventListener('pagehide', stop);
    return () => {
      window.removeEventListener('pagehide', stop);
      stop();
    };
  }, [connectivity]);
  const { phase, checks, told, error } = state;
  const isRunning = phase === 'running';
  return (
    <Card title="From this browser">
      <p className="text-sm text-ink-2">
        Connects to the media ports and to each relay, one after another, as a viewer’s browser does. This
        takes up to 10 seconds for each. From your own network all may be well that is not from outside: check
        from a phone on mobile data, too.
      </p>
      <div className="mt-4 flex flex-wrap items-center gap-x-4 gap-y-3">
        <Button
          look={isRunning ? 'secondary' : 'primary'}
          onClick={() => (isRunning ? connectivity.stop() : void connectivity.check())}
        >
          {isRunning ? 'Stop checking' : 'Check from this browser'}
        </Button>
        {checks.length > 0 && !isRunning && (
          <CopyButton text={reportOf(state, server)} label="Copy report" what="" />
        )}
        <Progress state={state} />
      </div>
      <Announce topic={phase} words={said(state)} />
      {error && (
        <div className="mt-4">
          <Notice title="This browser could not check">{error}</Notice>
        </div>
      )}
      {checks.length > 0 && (
        <ul aria-label="Checks from this browser" className="mt-3">
          {checks.map((check) => (
            <FindingRow
              key={check.name}
              name={check.name}
              state={check.finding?.verdict ?? (check.state === 'running' ? 'running' : 'waiting')}
              words={check.finding?.words ?? null}
            />
          ))}
        </ul>
      )}
      {told && <Addresses told={told} />}
    </Card>
  );
}

function Progress({ state: { phase, checks } }: { state: ConnectivityState }) {
  const done = checks.filter((check) => check.state === 'done').length;
  if (phase === 'running') {
    return (
      <span className="flex flex-1 basis-48 items-center gap-3 text-sm text-ink-2 tabular-nums">
        <progress
          aria-label="Checks done"
          className="progress-slim w-full max-w-48"
          max={checks.length}
          value={done}
        />
        <span className="whitespace-nowrap">
          {done} of {checks.length}
        </span>
      </span>
    );
  }
  if (phase === 'stopped') return <span className="text-sm text-ink-2">Stopped before the end.</span>;
  return <span className="text-sm font-medium tabular-nums">{count(checks)}</span>;
}

/** What the server says of itself: whoever sees a private address here understands the rest. */
function Addresses({ told: { candidates, relays } }: { told: Told }) {
  const isHidden = candidates.length > 0 && candidates.every(({ ip }) => reachOf(ip) !== 'public');
  return (
    <section aria-labelledby="told" className="mt-3 border-t border-line pt-4 text-sm">
      <h3 id="told" className="font-semibold">
        Addresses that the server tells browsers
      </h3>
      <ul className="mt-2 flex flex-col gap-1 break-words text-ink-2 tabular-nums">
        {candidates.map((candidate) => (
          <li key={addressWords(candidate)}>{addressWords(candidate)}</li>
        ))}
        {relays.map(({ url }) => (
          <li key={url}>{url}</li>
        ))}
        {candidates.length + relays.length === 0 && <li>None.</li>}
      </ul>
      {isHidden && (
        <p className="mt-2">
          None of them is reached from the internet. For viewers outside set media.public_ips to your public
          address.
        </p>
      )}
    </section>
  );
}

/** Once at the begin and once at the end: the rows in between are there to be read. */
function said({ phase, checks }: ConnectivityState): string {
  if (phase === 'running') return 'Checking from this browser.';
  if (phase === 'stopped') return 'The check was stopped.';
  return phase === 'done' ? `Checked from this browser: ${count(checks)}.` : '';
}

function count(checks: readonly Check[]): string {
  return tally(checks.flatMap(({ finding }) => (finding ? [finding.verdict] : [])));
}

function reportOf(state: ConnectivityState, server: readonly ServerCheck[]): string {
  const at = state.doneAt ?? Date.now();
  return report(state, server, { page: location.origin, browser: navigator.userAgent, at });
}
