/** Ways to elsewhere. */
import { Plus } from 'lucide-react';
import { useState } from 'react';
import type { ChannelPage } from '../../../api/channels';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { TextField } from '../../../ui/field';
import { RowButtons, swapped } from './rows';
import { SaveRow } from './save_row';
import { useEdit } from './use_edit';

const MOST = 10;

interface Row {
  id: number;
  label: string;
  url: string;
}

const numbered = (links: readonly { label: string; url: string }[]): Row[] =>
  links.map(({ label, url }, id) => ({ id, label, url }));

const told = (rows: readonly Row[]) => rows.map(({ label, url }) => ({ label, url }));

export function LinksCard({ channel }: { channel: ChannelPage }) {
  const [rows, setRows] = useState(() => numbered(channel.links));
  const edit = useEdit(channel.handle);
  const start = channel.links.map(({ label, url }) => ({ label, url }));
  const set = (id: number, change: Partial<Row>) =>
    setRows(rows.map((row) => (row.id === id ? { ...row, ...change } : row)));
  return (
    <Card title="Links">
      <form
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          edit.mutate({ links: told(rows) }, { onSuccess: ({ links }) => setRows(numbered(links)) });
        }}
      >
        {rows.length === 0 && <p className="text-sm text-ink-3">Where else people find you.</p>}
        {rows.map((row, at) => (
          <fieldset key={row.id} className="flex flex-wrap items-end gap-2">
            <legend className="sr-only">Link {at + 1}</legend>
            <div className="min-w-28 flex-1">
              <TextField
                label="Words"
                value={row.label}
                required
                maxLength={40}
                onChange={(event) => set(row.id, { label: event.target.value })}
              />
            </div>
            <div className="min-w-40 flex-2">
              <TextField
                label="Address"
                type="url"
                placeholder="https://"
                value={row.url}
                required
                onChange={(event) => set(row.id, { url: event.target.value })}
              />
            </div>
            <RowButtons
              what={`link ${at + 1}`}
              first={at === 0}
              last={at === rows.length - 1}
              onMove={(by) => setRows(swapped(rows, at, by))}
              onRemove={() => setRows(rows.filter(({ id }) => id !== row.id))}
            />
          </fieldset>
        ))}
        {rows.length < MOST && (
          <Button
            size="sm"
            className="self-start"
            onClick={() =>
              setRows([...rows, { id: Math.max(-1, ...rows.map(({ id }) => id)) + 1, label: '', url: '' }])
            }
          >
            <Plus aria-hidden size={16} />
            Add a link
          </Button>
        )}
        <SaveRow edit={edit} dirty={JSON.stringify(told(rows)) !== JSON.stringify(start)} />
      </form>
    </Card>
  );
}
