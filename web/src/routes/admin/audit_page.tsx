/** Who did what that matters. */
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { ShieldAlert, ShieldCheck } from 'lucide-react';
import { useDeferredValue, useState } from 'react';
import { type AuditEntry, adminApi } from '../../api/admin';
import { Button } from '../../ui/button';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { AdminFrame } from './frame';
import { List, Row } from './list';

const WHEN = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' });

export function AuditPage() {
  return (
    <AdminFrame title="Audit log">
      <Check />
      <Entries />
    </AdminFrame>
  );
}

function Check() {
  const check = useMutation({ mutationFn: adminApi.checkAudit });
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
      <p className="flex-1 basis-72 text-sm text-ink-2">
        Each entry holds a hash of the one before: what was changed or cut off afterwards shows.
      </p>
      <Button size="sm" disabled={check.isPending} onClick={() => check.mutate()}>
        Check the log
      </Button>
      {check.error && (
        <div className="basis-full">
          <Notice title="The log was not checked">{check.error.message}</Notice>
        </div>
      )}
      {check.data &&
        (check.data.is_whole ? (
          <p role="status" className="flex basis-full items-center gap-2 text-sm">
            <ShieldCheck aria-hidden size={18} /> All {check.data.entries} entries are as they were written.
          </p>
        ) : (
          <p role="alert" className="flex basis-full items-center gap-2 text-sm text-warn-text">
            <ShieldAlert aria-hidden size={18} /> Entry {check.data.broken_at} was changed or is missing.
            Compare it with a backup.
          </p>
        ))}
    </div>
  );
}

function Entries() {
  const [text, setText] = useState('');
  const action = useDeferredValue(text.trim());
  const query = useInfiniteQuery({
    queryKey: ['admin', 'audit', action],
    queryFn: ({ pageParam }) => adminApi.audit({ action, cursor: pageParam }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (before) => before,
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <search>
        <form onSubmit={(event) => event.preventDefault()}>
          <TextField
            label="Action begins with"
            type="search"
            placeholder="account."
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </form>
      </search>
      <List
        label="Entries"
        error={query.error}
        isWaiting={query.isPending}
        empty={items.length === 0 ? 'Nothing was done that begins so.' : null}
        onMore={query.hasNextPage ? () => void query.fetchNextPage() : undefined}
      >
        {items.map((entry) => (
          <Row
            key={entry.number}
            title={
              <>
                <code className="font-mono">{entry.action}</code>
                <span className="font-normal text-ink-2">by {actorOf(entry)}</span>
              </>
            }
            lines={[detailOf(entry), `${WHEN.format(Date.parse(entry.at))} · number ${entry.number}`]}
          />
        ))}
      </List>
    </>
  );
}

function actorOf(entry: AuditEntry): string {
  if (!entry.actor) return 'the server';
  return entry.actor.name ?? 'a deleted account';
}

/** "name: Ada, to: creator". */
function detailOf(entry: AuditEntry): string {
  const pairs = Object.entries(entry.detail as Record<string, unknown>);
  return pairs
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}
