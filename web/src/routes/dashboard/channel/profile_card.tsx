/** Name, description, category, language, tags, colour. */
import { useState } from 'react';
import type { ChannelPage, ChannelProfile } from '../../../api/channels';
import { Card } from '../../../ui/card';
import { SelectField, TextField } from '../../../ui/field';
import { TextArea } from '../../../ui/text_area';
import { LanguageField } from '../../language_field';
import { useCategories } from '../../streams/use_categories';
import { AccentField } from './accent_field';
import { SaveRow } from './save_row';
import { useEdit } from './use_edit';

export function ProfileCard({ channel }: { channel: ChannelPage }) {
  const start = said(channel);
  const [form, setForm] = useState(start);
  const edit = useEdit(channel.handle);
  const categories = useCategories();
  const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
  return (
    <Card title="Profile">
      <form
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          edit.mutate(
            {
              name: form.name,
              description: form.description,
              category: form.category || null,
              language: form.language || null,
              accent: form.accent || null,
              tags: form.tags.split(/[\s,]+/).filter((tag) => tag !== ''),
            },
            { onSuccess: (profile) => setForm(said(profile)) },
          );
        }}
      >
        <TextField
          label="Name"
          value={form.name}
          required
          maxLength={80}
          onChange={(event) => set({ name: event.target.value })}
        />
        <TextArea
          label="Description"
          hint={`${500 - [...form.description].length} characters left.`}
          rows={4}
          value={form.description}
          onChange={(event) => set({ description: event.target.value })}
        />
        <div className="grid gap-5 sm:grid-cols-2">
          <SelectField
            label="Category"
            value={form.category}
            onChange={(event) => set({ category: event.target.value })}
          >
            <option value="">None</option>
            {categories.map(({ slug, name }) => (
              <option key={slug} value={slug}>
                {name}
              </option>
            ))}
          </SelectField>
          <LanguageField value={form.language} none="Not told" onChange={(language) => set({ language })} />
        </div>
        <TextField
          label="Tags"
          hint="Up to 10, with commas between them."
          value={form.tags}
          onChange={(event) => set({ tags: event.target.value })}
        />
        <AccentField value={form.accent} onChange={(accent) => set({ accent })} />
        <SaveRow edit={edit} dirty={JSON.stringify(form) !== JSON.stringify(start)} />
      </form>
    </Card>
  );
}

/** The form that says what the server says. */
function said(channel: ChannelProfile) {
  return {
    name: channel.name,
    description: channel.description,
    category: channel.category?.slug ?? '',
    language: channel.language ?? '',
    tags: channel.tags.join(', '),
    accent: channel.accent ?? '',
  };
}
