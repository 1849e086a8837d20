/** What may be changed while the server runs; what the configuration sets is shown as fixed. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { adminApi, type SettingsBody, type SettingValues } from '../../api/admin';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { SelectField, TextField, Toggle } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { TextArea } from '../../ui/text_area';
import { Opening } from '../no_answer';
import { AdminFrame } from './frame';

const key = ['admin', 'settings'];

const DAY = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });

const LABELS: Record<keyof SettingValues, string> = {
  name: 'Name',
  accent: 'Accent colour',
  announcement: 'Announcement',
  imprint_url: 'Imprint',
  rules_url: 'Rules',
  privacy_url: 'Privacy',
  keep_days: 'Days to keep recordings',
  quota_mb: 'Megabytes of all recordings',
  embed_ancestors: 'Sites that may embed the player',
  description: 'Description',
  registration: 'Who may sign up',
  new_accounts: 'New accounts are',
  require_email: 'An e-mail address is needed',
  recording_visibility: 'Who may watch new recordings',
};

export function SettingsPage() {
  return (
    <AdminFrame title="Settings">
      <Settings />
    </AdminFrame>
  );
}

function Settings() {
  const query = useQuery({ queryKey: key, queryFn: adminApi.settings, staleTime: Number.POSITIVE_INFINITY });
  if (!query.data) {
    return <Opening what="the settings" error={query.failureReason} onRetry={() => void query.refetch()} />;
  }
  return <Form body={query.data} />;
}

function Form({ body }: { body: SettingsBody }) {
  const queries = useQueryClient();
  const [edit, setEdit] = useState<Partial<SettingValues>>({});
  const save = useMutation({
    mutationFn: () => adminApi.editSettings(edit),
    onSuccess: (saved) => {
      queries.setQueryData(key, saved);
      setEdit({});
      return queries.invalidateQueries({ queryKey: ['instance'] });
    },
  });
  const reset = useMutation({
    mutationFn: adminApi.resetSetting,
    onSuccess: (saved, field) => {
      queries.setQueryData(key, saved);
      setEdit(({ [field as keyof SettingValues]: _, ...rest }) => rest);
      return queries.invalidateQueries({ queryKey: ['instance'] });
    },
  });
  const values = { ...body.values, ...edit };
  const set = (change: Partial<SettingValues>) => {
    save.reset();
    setEdit({ ...edit, ...change });
  };
  const fixedBy = (field: keyof SettingValues) =>
    body.fixed.find((fixed) => fixed.field === field)?.key ?? null;
  /** What a field has whatever it is: its words, and whether the configuration fixes it. */
  const about = (field: keyof SettingValues, hint?: string) => {
    const fixed = fixedBy(field);
    return {
      disabled: fixed !== null,
      hint: fixed !== null ? <Fixed name={fixed} /> : hint,
    };
  };
  const text = (field: keyof SettingValues, hint?: string) => (
    <TextField
      label={LABELS[field]}
      value={String(values[field])}
      {...about(field, hint)}
      onChange={(event) => set({ [field]: event.target.value })}
    />
  );
  const number = (field: 'keep_days' | 'quota_mb', hint: string) => (
    <TextField
      label={LABELS[field]}
      type="number"
      min={0}
      value={String(values[field])}
      {...about(field, hint)}
      onChange={(event) => set({ [field]: Math.max(0, Math.floor(Number(event.target.value))) })}
    />
  );
  const dirty = Object.keys(edit).length > 0;
  return (
    <form
      className="flex flex-col gap-5 sm:gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <Card title="The server">
        <div className="grid gap-5 sm:grid-cols-2">
          {text('name')}
          {text('accent', 'Such as #ff6a3d; empty: ours.')}
          <div className="sm:col-span-2">
            <TextArea
              label={LABELS.description}
              value={values.description}
              {...about('description', 'What this server is for.')}
              onChange={(event) => set({ description: event.target.value })}
            />
          </div>
          <div className="sm:col-span-2">{text('announcement', 'A line above all pages; empty: none.')}</div>
          {text('imprint_url', 'Address of a page; empty: none.')}
          {text('rules_url', 'Address of a page; empty: none.')}
          {text('privacy_url', 'Address of a page; empty: none.')}
        </div>
      </Card>
      <Card title="Signing up">
        <div className="grid gap-5 sm:grid-cols-2">
          <SelectField
            label={LABELS.registration}
            value={values.registration}
            {...about('registration')}
            onChange={(event) => set({ registration: event.target.value as SettingValues['registration'] })}
          >
            <option value="open">Everybody</option>
            <option value="invite">Who has an invite</option>
            <option value="closed">Nobody</option>
          </SelectField>
          <SelectField
            label={LABELS.new_accounts}
            value={values.new_accounts}
            {...about('new_accounts')}
            onChange={(event) => set({ new_accounts: event.target.value as SettingValues['new_accounts'] })}
          >
            <option value="viewer">Viewers: they watch and follow</option>
            <option value="creator">Creators: they have channels</option>
          </SelectField>
          <div className="sm:col-span-2">
            <Toggle
              label={LABELS.require_email}
              hint={
                fixedBy('require_email') === null
                  ? 'It must be confirmed before the first sign-in.'
                  : `Set by ${fixedBy('require_email')} in the configuration.`
              }
              checked={values.require_email}
              disabled={fixedBy('require_email') !== null}
              onChange={(require_email) => set({ require_email })}
            />
          </div>
        </div>
      </Card>
      <Card title="Recordings and embedding">
        <div className="grid gap-5 sm:grid-cols-2">
          <SelectField
            label={LABELS.recording_visibility}
            value={values.recording_visibility}
            {...about('recording_visibility', 'Until their owner says otherwise.')}
            onChange={(event) =>
              set({ recording_visibility: event.target.value as SettingValues['recording_visibility'] })
            }
          >
            <option value="public">Everybody</option>
            <option value="unlisted">Who has the address</option>
            <option value="private">Their owner</option>
          </SelectField>
          {number('keep_days', '0 keeps them for ever.')}
          {number('quota_mb', 'The oldest go first; 0: no bound.')}
          {text('embed_ancestors', "* is all, 'none' is none, or such as https://blog.example.")}
        </div>
      </Card>
      <Changed body={body} isBusy={reset.isPending} onReset={reset.mutate} />
      {reset.error && <Notice title="It was not put back">{reset.error.message}</Notice>}
      {save.error && <Notice title="The settings were not saved">{save.error.message}</Notice>}
      <div className="sticky bottom-0 -mx-4 flex min-h-11 flex-wrap items-center gap-4 border-t border-line bg-surface-0/95 px-4 py-3 sm:mx-0 sm:px-0">
        <Button type="submit" look="primary" disabled={!dirty || save.isPending}>
          Save the settings
        </Button>
        {dirty && (
          <Button look="ghost" onClick={() => setEdit({})}>
            Undo
          </Button>
        )}
        <span role="status" className="text-sm text-ink-2">
          {save.isSuccess && !dirty ? 'Saved' : ''}
        </span>
      </div>
    </form>
  );
}

function Fixed({ name }: { name: string }): ReactNode {
  return (
    <>
      Fixed: the configuration sets <code className="font-mono">{name}</code>.
    </>
  );
}

/** What admins changed, each with the way back to what the configuration has. */
function Changed({
  body,
  isBusy,
  onReset,
}: {
  body: SettingsBody;
  isBusy: boolean;
  onReset: (field: string) => void;
}) {
  if (body.changed.length === 0) return null;
  return (
    <Card title="Changed on this page">
      <ul className="divide-y divide-line">
        {body.changed.map(({ field, changed_at }) => {
          const label = LABELS[field as keyof SettingValues] ?? field;
          return (
            <li key={field} className="flex flex-wrap items-center justify-between gap-3 py-2">
              <span>
                {label} <span className="text-sm text-ink-2">on {DAY.format(new Date(changed_at))}</span>
              </span>
              <Button
                look="ghost"
                size="sm"
                disabled={isBusy}
                aria-label={`Put back: ${label}`}
                onClick={() => onReset(field)}
              >
                Put back
              </Button>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
