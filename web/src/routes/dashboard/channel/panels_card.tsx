/** Pieces of the About page, written in Markdown, with what the server makes of them beside. */
import { Plus } from 'lucide-react';
import { useState } from 'react';
import type { ChannelPage } from '../../../api/channels';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { TextField } from '../../../ui/field';
import { TextArea } from '../../../ui/text_area';
import { RichText } from '../../rich_text';
import { RowButtons, swapped } from './rows';
import { SaveRow } from './save_row';
import { useEdit } from './use_edit';

const MOST = 12;

interface Row {
  id: number;
  title: string;
  markdown: string;
}

const numbered = (panels: readonly { title: string; markdown?: string | null }[]): Row[] =>
  panels.map(({ title, markdown }, id) => ({ id, title, markdown: markdown ?? '' }));

const told = (rows: readonly Row[]) => rows.map(({ title, markdown }) => ({ title, markdown }));

export function PanelsCard({ channel }: { channel: ChannelPage }) {
  const start = channel.panels.map(({ title, markdown }) => ({ title, markdown: markdown ?? '' }));
  const [rows, setRows] = useState(() => numbered(channel.panels));
  const edit = useEdit(channel.handle);
  const dirty = JSON.stringify(told(rows)) !== JSON.stringify(start);
  const set = (id: number, change: Partial<Row>) =>
    setRows(rows.map((row) => (row.id === id ? { ...row, ...change } : row)));
  return (
    <Card title="Panels">
      <form
        className="flex flex-col gap-6"
        onSubmit={(event) => {
          event.preventDefault();
          edit.mutate({ panels: told(rows) }, { onSuccess: ({ panels }) => setRows(numbered(panels)) });
        }}
      >
        {rows.length === 0 && (
          <p className="text-sm text-ink-3">
            Who you are, what your rules are, what you stream with. Panels stand on the About page.
          </p>
        )}
        {rows.map((row, at) => (
          <fieldset key={row.id} className="flex flex-col gap-3">
            <legend className="sr-only">Panel {at + 1}</legend>
            <div className="flex items-end gap-2">
              <div className="min-w-0 flex-1">
                <TextField
                  label="Title"
                  value={row.title}
                  maxLength={80}
                  onChange={(event) => set(row.id, { title: event.target.value })}
                />
              </div>
              <RowButtons
                what={`panel ${at + 1}`}
                first={at === 0}
                last={at === rows.length - 1}
                onMove={(by) => setRows(swapped(rows, at, by))}
                onRemove={() => setRows(rows.filter(({ id }) => id !== row.id))}
              />
            </div>
            <TextArea
              label="Text"
              hint="Markdown: *stress*, **more stress**, [words](https://…), lists with - and headings with #."
              rows={5}
              value={row.markdown}
              onChange={(event) => set(row.id, { markdown: event.target.value })}
            />
          </fieldset>
        ))}
        {rows.length < MOST && (
          <Button
            size="sm"
            className="self-start"
            onClick={() =>
              setRows([
                ...rows,
                { id: Math.max(-1, ...rows.map(({ id }) => id)) + 1, title: '', markdown: '' },
              ])
            }
          >
            <Plus aria-hidden size={16} />
            Add a panel
          </Button>
        )}
        <SaveRow edit={edit} dirty={dirty} />
      </form>
      {channel.panels.length > 0 && (
        <section
          aria-label="How the panels look"
          className="mt-6 flex flex-col gap-3 border-t border-line pt-5"
        >
          <p className="text-sm text-ink-3">{dirty ? 'As last saved' : 'How they look'}</p>
          {channel.panels.map(({ title, blocks }, at) => (
            <div
              // biome-ignore lint/suspicious/noArrayIndexKey: two panels may be the same, and none moves
              key={at}
              className="rounded-control border border-line bg-surface-2 p-4"
            >
              {title && <h3 className="mb-2 font-semibold">{title}</h3>}
              <RichText blocks={blocks} />
            </div>
          ))}
        </section>
      )}
    </Card>
  );
}
