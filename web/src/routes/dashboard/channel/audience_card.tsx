/** Who may watch. */
import { useState } from 'react';
import type { ChannelPage } from '../../../api/channels';
import { Card } from '../../../ui/card';
import { TextField } from '../../../ui/field';
import { usePayments } from '../../payments/use_payments';
import { SaveRow } from './save_row';
import { useEdit } from './use_edit';

const CHOICES = [
  ['public', 'Everybody', 'It is in lists and searches.'],
  ['unlisted', 'Who has the link', 'It is in no list.'],
  ['password', 'Who knows the password', 'Viewers give it once; encoders and players send it along.'],
  ['members', 'Members', 'Whoever joined, you and your moderators.'],
] as const;

export function AudienceCard({ channel }: { channel: ChannelPage }) {
  const [visibility, setVisibility] = useState(channel.visibility);
  const [password, setPassword] = useState('');
  const edit = useEdit(channel.handle);
  const sells = usePayments() !== 'off';
  const dirty = visibility !== channel.visibility || (visibility === 'password' && password !== '');
  return (
    <Card title="Who may watch">
      <form
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          const chosen = visibility === 'password' && password !== '' ? { password } : {};
          edit.mutate({ visibility, ...chosen }, { onSuccess: () => setPassword('') });
        }}
      >
        <fieldset className="flex flex-col gap-1">
          <legend className="sr-only">Who may watch</legend>
          {CHOICES.map(([value, name, hint]) => (
            <label
              key={value}
              className="flex min-h-11 cursor-pointer items-start gap-3 rounded-control px-2 py-2 hover:bg-surface-2"
            >
              <input
                type="radio"
                name="visibility"
                value={value}
                checked={visibility === value}
                onChange={() => setVisibility(value)}
                className="mt-1 size-4 accent-ink"
              />
              <span>
                <span className="block text-sm font-medium">{name}</span>
                <span className="block text-sm text-ink-3">
                  {hint}
                  {value === 'members' &&
                    (sells
                      ? ' Set under Money what it costs.'
                      : ' Nobody can join on this server: it has no payments.')}
                </span>
              </span>
            </label>
          ))}
        </fieldset>
        {visibility === 'password' && (
          <TextField
            label={channel.visibility === 'password' ? 'New password for viewers' : 'Password for viewers'}
            hint={
              channel.visibility === 'password'
                ? 'Left empty, the present one stays. With another, everybody has to give it anew.'
                : 'At least 4 characters. Nobody can read it back, you neither.'
            }
            type="text"
            autoComplete="off"
            value={password}
            required={channel.visibility !== 'password'}
            minLength={4}
            maxLength={200}
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
        <SaveRow edit={edit} dirty={dirty} />
      </form>
    </Card>
  );
}
