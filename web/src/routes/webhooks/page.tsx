/** Webhooks: where events of a channel go, what arrived there, and what did not. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { type NewWebhook, webhooks } from '../../api/webhooks';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { CopyRow } from '../../ui/copy';
import { Notice } from '../../ui/notice';
import { DashboardFrame } from '../dashboard/frame';
import { HookCard } from './hook_card';
import { HookForm } from './hook_form';

export function WebhooksPage() {
  return (
    <DashboardFrame section="/dashboard/webhooks">
      {(channel) => <Webhooks handle={channel.handle} />}
    </DashboardFrame>
  );
}

function Webhooks({ handle }: { handle: string }) {
  const queries = useQueryClient();
  const queryKey = ['webhooks', handle];
  const list = useQuery({ queryKey, queryFn: () => webhooks.list(handle) });
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<NewWebhook | null>(null);
  const create = useMutation({
    mutationFn: (wish: Parameters<typeof webhooks.create>[1]) => webhooks.create(handle, wish),
    onSuccess: (hook) => {
      setMade(hook);
      setAdding(false);
      return queries.invalidateQueries({ queryKey });
    },
  });
  const items = list.data?.items ?? [];
  const isEmpty = list.data && items.length === 0;
  return (
    <div className="flex max-w-3xl flex-col gap-4 lg:gap-6">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <div className="min-w-0">
          <h2 className="text-lg font-semibold">Webhooks</h2>
          <p className="text-sm text-ink-2">
            The server posts what happens on your channel to a program of yours.
          </p>
        </div>
        {!adding && (
          <Button look={isEmpty ? 'primary' : 'secondary'} onClick={() => setAdding(true)}>
            <Plus aria-hidden size={18} />
            New webhook
          </Button>
        )}
      </div>
      {made && <Secret hook={made} onDone={() => setMade(null)} />}
      {adding && (
        <Card title="New webhook">
          <HookForm
            action="Make webhook"
            busy={create.isPending}
            error={create.error}
            onSave={(wish) => create.mutate(wish)}
            onCancel={() => {
              create.reset();
              setAdding(false);
            }}
          />
        </Card>
      )}
      {list.error && (
        <Notice
          title="The webhooks could not be loaded"
          action={
            <Button size="sm" onClick={() => void list.refetch()}>
              Try again
            </Button>
          }
        >
          {list.error.message}
        </Notice>
      )}
      {items.map((hook) => (
        <HookCard key={hook.id} handle={handle} hook={hook} />
      ))}
      {isEmpty && !adding && <Empty />}
    </div>
  );
}

/** Shown once: who has left the page makes a new webhook. */
function Secret({ hook, onDone }: { hook: NewWebhook; onDone: () => void }) {
  return (
    <div className="rounded-card border border-line-strong bg-surface-2 p-5" data-testid="webhook-secret">
      <CopyRow label="Secret of the new webhook" value={hook.secret} />
      <p className="mt-2 text-sm text-ink-2">
        Copy it now: it is shown this once. Your program checks with it that a post came from here: take{' '}
        <code className="font-mono">t</code> from the header{' '}
        <code className="font-mono">Tallylight-Signature</code>, and compare{' '}
        <code className="font-mono">v1</code> with the HMAC-SHA-256 of <code className="font-mono">t</code>, a
        dot and the body.
      </p>
      <Button size="sm" className="mt-3" onClick={onDone}>
        I have copied it
      </Button>
    </div>
  );
}

function Empty() {
  return (
    <div className="rounded-card border border-dashed border-line-strong/60 p-6 text-sm text-ink-2">
      <p className="font-medium text-ink">No webhooks yet</p>
      <p className="mt-1">
        With one, your program hears when a stream starts or ends, when a recording is ready and when somebody
        follows you. Posts are signed, tried again for three days, and kept in a log.
      </p>
    </div>
  );
}
