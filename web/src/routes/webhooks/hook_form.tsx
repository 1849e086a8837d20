import { useState } from 'react';
import type { EventKind, Webhook } from '../../api/webhooks';
import { Button } from '../../ui/button';
import { TextField } from '../../ui/field';
import { KINDS } from './kinds';

/** Address and events of a webhook. */
export function HookForm({
  hook,
  action,
  busy,
  error,
  onSave,
  onCancel,
}: {
  hook?: Webhook;
  action: string;
  busy: boolean;
  error: Error | null;
  onSave: (wish: { url: string; kinds: EventKind[] }) => void;
  onCancel: () => void;
}) {
  const [url, setUrl] = useState(hook?.url ?? '');
  const [kinds, setKinds] = useState<EventKind[]>(hook?.kinds ?? ['stream.started', 'stream.ended']);
  const choose = (kind: EventKind, wanted: boolean) =>
    setKinds((now) => KINDS.map(([k]) => k).filter((k) => (k === kind ? wanted : now.includes(k))));
  return (
    <form
      className="flex flex-col gap-5"
      onSubmit={(event) => {
        event.preventDefault();
        onSave({ url: url.trim(), kinds });
      }}
    >
      <TextField
        label="Address"
        type="url"
        inputMode="url"
        required
        autoComplete="off"
        placeholder="https://example.org/hook"
        hint="On the internet, by HTTPS. Addresses inside this server's network are refused."
        error={error?.message}
        value={url}
        onChange={(event) => setUrl(event.target.value)}
      />
      <fieldset>
        <legend className="mb-1 text-sm font-medium">Events</legend>
        <div className="grid gap-x-6 sm:grid-cols-2">
          {KINDS.map(([kind, words]) => (
            <label key={kind} className="flex min-h-11 cursor-pointer items-center gap-3 py-1.5">
              <input
                type="checkbox"
                checked={kinds.includes(kind)}
                onChange={(event) => choose(kind, event.target.checked)}
                className="size-5 shrink-0 accent-ink"
              />
              <span className="min-w-0 text-sm">
                <span className="block">{words}</span>
                <code className="block font-mono text-xs text-ink-3">{kind}</code>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      <div className="flex flex-wrap gap-2">
        <Button type="submit" look="primary" disabled={busy || kinds.length === 0}>
          {action}
        </Button>
        <Button look="ghost" onClick={onCancel}>
          Cancel
        </Button>
      </div>
    </form>
  );
}
