import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Pencil, Send, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { type Webhook, webhooks } from '../../api/webhooks';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Toggle } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { Deliveries } from './deliveries';
import { HookForm } from './hook_form';

/** One webhook: where it goes, whether it is on, and its log. */
export function HookCard({ handle, hook }: { handle: string; hook: Webhook }) {
  const queries = useQueryClient();
  const [editing, setEditing] = useState(false);
  const [asking, setAsking] = useState(false);
  const changed = () => queries.invalidateQueries({ queryKey: ['webhooks', handle] });
  const edit = useMutation({
    mutationFn: (wish: Parameters<typeof webhooks.edit>[2]) => webhooks.edit(handle, hook.id, wish),
    onSuccess: () => {
      setEditing(false);
      return changed();
    },
  });
  const remove = useMutation({ mutationFn: () => webhooks.remove(handle, hook.id), onSuccess: changed });
  const test = useMutation({
    mutationFn: () => webhooks.test(handle, hook.id),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['deliveries', hook.id] }),
  });
  const failure = (editing ? null : edit.error) ?? remove.error ?? test.error;
  return (
    <section
      aria-label={`Webhook to ${hook.url}`}
      className="rounded-card border border-line bg-surface-1 p-5 sm:p-6"
    >
      {editing ? (
        <HookForm
          hook={hook}
          action="Save"
          busy={edit.isPending}
          error={edit.error}
          onSave={(wish) => edit.mutate(wish)}
          onCancel={() => {
            edit.reset();
            setEditing(false);
          }}
        />
      ) : (
        <div className="flex flex-col gap-4">
          <div>
            <h3 className="font-mono text-sm font-semibold [overflow-wrap:anywhere]">{hook.url}</h3>
            <p className="mt-1 text-sm text-ink-2">{hook.kinds.join(', ')}</p>
          </div>
          {hook.problem && <Notice title="The server switched this webhook off">{hook.problem}</Notice>}
          {failure && <Notice title="That did not work">{failure.message}</Notice>}
          <Toggle
            label="Deliver events"
            hint={hook.enabled ? 'Each event is posted as it happens.' : 'Nothing is posted.'}
            checked={hook.enabled}
            onChange={(enabled) => edit.mutate({ enabled })}
          />
          <div className="flex flex-wrap gap-2">
            <Button size="sm" disabled={test.isPending} onClick={() => test.mutate()}>
              <Send aria-hidden size={16} />
              Send a test
            </Button>
            <Button size="sm" onClick={() => setEditing(true)}>
              <Pencil aria-hidden size={16} />
              Edit
            </Button>
            <Button size="sm" look="ghost" onClick={() => setAsking(true)}>
              <Trash2 aria-hidden size={16} />
              Delete
            </Button>
          </div>
          <Deliveries handle={handle} hook={hook.id} />
        </div>
      )}
      <Dialog
        open={asking}
        onClose={() => setAsking(false)}
        title="Delete this webhook?"
        actions={
          <>
            <Button onClick={() => setAsking(false)}>Keep it</Button>
            <Button
              look="warn"
              onClick={() => {
                setAsking(false);
                remove.mutate();
              }}
            >
              Delete webhook
            </Button>
          </>
        }
      >
        Nothing is posted to it any more, and its log goes, too. A new one gets another secret.
      </Dialog>
    </section>
  );
}
