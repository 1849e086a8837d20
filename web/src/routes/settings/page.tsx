/** The settings' first page: name, picture, address, language. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Account, type AccountEdit, accountApi } from '../../api/account';
import { Avatar } from '../../ui/avatar';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { SelectField, TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { Pill } from '../../ui/pill';
import { sessionQuery } from '../account';
import { PictureUpload } from '../upload/picture_upload';
import { accountQuery, SettingsFrame } from './frame';

export function ProfilePage() {
  return (
    <SettingsFrame>
      {(account) => (
        <>
          <ProfileCard account={account} />
          <PictureCard account={account} />
          <AddressCard account={account} />
        </>
      )}
    </SettingsFrame>
  );
}

const LANGUAGES = [
  ['', 'As the browser has it'],
  ['en', 'English'],
  ['de', 'Deutsch'],
  ['fr', 'Français'],
  ['es', 'Español'],
  ['pt', 'Português'],
  ['ja', '日本語'],
] as const;

const ROLES = { admin: 'Admin', creator: 'Creator', viewer: 'Viewer' };

/** Saves a change of the account and shows it everywhere. */
function useEdit() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (edit: AccountEdit) => accountApi.edit(edit),
    onSuccess: (account) => {
      queries.setQueryData(accountQuery.queryKey, account);
      void queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
    },
  });
}

function ProfileCard({ account }: { account: Account }) {
  const [name, setName] = useState(account.name);
  const [language, setLanguage] = useState(account.language);
  const edit = useEdit();
  const known = LANGUAGES.some(([tag]) => tag === account.language);
  const changed = name.trim() !== account.name || language !== account.language;
  return (
    <Card title="Profile" aside={<Pill tone="neutral">{ROLES[account.role]}</Pill>}>
      <form
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          edit.mutate({ name: name.trim(), language });
        }}
      >
        <TextField
          label="Name"
          value={name}
          required
          minLength={2}
          maxLength={60}
          autoComplete="username"
          hint="You sign in with it, and others see it."
          onChange={(event) => setName(event.target.value)}
        />
        <SelectField
          label="Language of mails"
          value={language}
          onChange={(event) => setLanguage(event.target.value)}
        >
          {!known && <option value={account.language}>{account.language}</option>}
          {LANGUAGES.map(([tag, label]) => (
            <option key={tag} value={tag}>
              {label}
            </option>
          ))}
        </SelectField>
        {edit.error && <Notice title="Your profile was not saved">{edit.error.message}</Notice>}
        <Saving pending={edit.isPending} saved={edit.isSuccess && !changed} disabled={!changed}>
          Save the profile
        </Saving>
      </form>
    </Card>
  );
}

function PictureCard({ account }: { account: Account }) {
  const queries = useQueryClient();
  const show = () =>
    Promise.all([accountQuery, sessionQuery].map(({ queryKey }) => queries.invalidateQueries({ queryKey })));
  const url = account.avatar ? `/images/${account.avatar}` : null;
  return (
    <Card title="Your picture">
      <PictureUpload
        name="picture"
        ratio={1}
        has={url !== null}
        upload={accountApi.setPicture}
        remove={accountApi.removePicture}
        onChanged={show}
      >
        <Avatar name={account.name} url={url} size="lg" />
      </PictureUpload>
    </Card>
  );
}

function AddressCard({ account }: { account: Account }) {
  const [email, setEmail] = useState(account.email ?? '');
  const [password, setPassword] = useState('');
  const edit = useEdit();
  const changed = email.trim() !== (account.email ?? '');
  return (
    <Card
      title="E-mail address"
      aside={
        account.email && (
          <Pill tone={account.is_email_confirmed ? 'neutral' : 'warn'}>
            {account.is_email_confirmed ? 'Confirmed' : 'Not confirmed'}
          </Pill>
        )
      }
    >
      <form
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          edit.mutate(
            { email: email.trim(), current_password: password },
            {
              onSuccess: (saved) => {
                setEmail(saved.email ?? '');
                setPassword('');
              },
            },
          );
        }}
      >
        {account.pending_email && (
          <Notice tone="info" title="Open the link in your mail">
            We sent it to {account.pending_email}. Until you open it, everything stays as it is.
          </Notice>
        )}
        <TextField
          label="Address"
          type="email"
          value={email}
          autoComplete="email"
          hint="For news that you ask for, and for a new password when you forget yours. Others do not see it."
          onChange={(event) => setEmail(event.target.value)}
        />
        {changed && account.has_password && (
          <TextField
            label="Your password"
            type="password"
            value={password}
            required
            autoComplete="current-password"
            hint="So that nobody at your open browser can take your account."
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
        {edit.error && <Notice title="The address was not changed">{edit.error.message}</Notice>}
        <Saving pending={edit.isPending} saved={edit.isSuccess && !changed} disabled={!changed}>
          Change the address
        </Saving>
      </form>
    </Card>
  );
}

function Saving(props: { pending: boolean; saved: boolean; disabled: boolean; children: string }) {
  return (
    <div className="flex min-h-11 flex-wrap items-center gap-4">
      <Button type="submit" look="primary" disabled={props.disabled || props.pending}>
        {props.children}
      </Button>
      <span role="status" className="text-sm text-ink-2">
        {props.saved ? 'Saved' : ''}
      </span>
    </div>
  );
}
