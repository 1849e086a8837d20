/** Whether the server stands as it should: its own checks, and the way to it from this browser. */
import { useQuery } from '@tanstack/react-query';
import { adminApi, type SystemChecks } from '../../api/admin';
import { tally } from '../../diagnostics/words';
import { Announce } from '../../ui/announce';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { Notice } from '../../ui/notice';
import { Spinner } from '../../ui/spinner';
import { ago, useNow } from '../../ui/time';
import { BrowserCard } from './browser_card';
import { FindingRow } from './finding_row';
import { AdminFrame } from './frame';

export function SystemPage() {
  return (
    <AdminFrame title="System">
      <System />
    </AdminFrame>
  );
}

function System() {
  const query = useQuery({
    queryKey: ['admin', 'checks'],
    queryFn: adminApi.checks,
    // It takes the server a while: only whoever asks has it done again.
    staleTime: 60_000,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    retry: false,
  });
  const items = query.data?.items ?? [];
  return (
    <>
      <BrowserCard server={items} />
      <ServerCard
        checks={query.data ?? null}
        error={query.error}
        isBusy={query.isFetching}
        onAgain={() => void query.refetch({ cancelRefetch: false })}
      />
    </>
  );
}

function ServerCard({
  checks,
  error,
  isBusy,
  onAgain,
}: {
  checks: SystemChecks | null;
  error: Error | null;
  isBusy: boolean;
  onAgain: () => void;
}) {
  const said = checks && !error ? `The server is checked: ${count(checks.items)}.` : '';
  return (
    <Card
      title="On the server"
      aside={
        <Button size="sm" aria-disabled={isBusy} onClick={() => isBusy || onAgain()}>
          Check again
        </Button>
      }
    >
      <p className="text-sm text-ink-2">
        What <code className="font-mono">tallylight doctor</code> says, with what to change.
      </p>
      <Announce topic={`${isBusy} ${checks?.checked_at}`} words={isBusy ? 'Checking the server.' : said} />
      {(isBusy || checks) && (
        <p className="mt-3 flex min-h-6 flex-wrap items-center gap-x-3 text-sm tabular-nums">
          {isBusy ? <Busy /> : checks && <Standing checks={checks} />}
        </p>
      )}
      {error && !isBusy && (
        <div className="mt-3">
          <Notice
            title="The server was not checked"
            action={
              <Button size="sm" onClick={onAgain}>
                Try again
              </Button>
            }
          >
            {error.message}
            {checks && ' What stands below is from before.'}
          </Notice>
        </div>
      )}
      {checks && (
        <ul aria-label="Checks of the server" className="mt-2">
          {inOrder(checks.items).map(({ subject, verdict, detail }) => (
            <FindingRow key={`${subject} ${detail}`} name={subject} state={verdict} words={detail} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function Busy() {
  return (
    <>
      <Spinner size={16} />
      <span>Checking the server. This takes up to 10 seconds.</span>
    </>
  );
}

function Standing({ checks: { items, checked_at } }: { checks: SystemChecks }) {
  const now = useNow();
  return (
    <>
      <span className="font-medium">{count(items)}</span>
      <span className="text-ink-3">checked {ago(checked_at, Math.max(now, Date.parse(checked_at)))}</span>
    </>
  );
}

function count(items: SystemChecks['items']): string {
  return tally(items.map(({ verdict }) => verdict));
}

/** What must be changed first; else in the server's order. */
function inOrder(items: SystemChecks['items']): SystemChecks['items'] {
  const order = ['bad', 'careful', 'good'];
  return [...items].sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
}
