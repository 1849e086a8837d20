/** Who looks after the channel. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { UserMinus, UserPlus } from 'lucide-react';
import { useState } from 'react';
import { channelsApi } from '../../../api/channels';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { TextField } from '../../../ui/field';

export function ModeratorsCard({ handle }: { handle: string }) {
  const key = ['moderators', handle];
  const queries = useQueryClient();
  const list = useQuery({ queryKey: key, queryFn: () => channelsApi.moderators(handle) });
  const [name, setName] = useState('');
  const onSettled = () => queries.invalidateQueries({ queryKey: key });
  const add = useMutation({
    mutationFn: () => channelsApi.addModerator(handle, name.trim()),
    onSuccess: () => setName(''),
    onSettled,
  });
  const remove = useMutation({
    mutationFn: (person: string) => channelsApi.removeModerator(handle, person),
    onSettled,
  });
  const people = list.data?.items ?? [];
  return (
    <Card title="Moderators">
      <div className="flex flex-col gap-4">
        {people.length === 0 ? (
          <p className="text-sm text-ink-3">
            Nobody yet. Moderators keep your chat clean and may watch whatever you stream.
          </p>
        ) : (
          <ul aria-label="Moderators" className="flex flex-col divide-y divide-line">
            {people.map((person) => (
              <li key={person.name} className="flex min-h-12 items-center justify-between gap-3">
                <span className="min-w-0 truncate text-sm font-medium">{person.name}</span>
                <Button
                  size="sm"
                  look="ghost"
                  aria-label={`Dismiss ${person.name}`}
                  disabled={remove.isPending}
                  onClick={() => remove.mutate(person.name)}
                >
                  <UserMinus aria-hidden size={16} />
                  Dismiss
                </Button>
              </li>
            ))}
          </ul>
        )}
        <form
          className="flex items-end gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            add.mutate();
          }}
        >
          <div className="min-w-0 flex-1">
            <TextField
              label="Name of an account"
              value={name}
              required
              autoComplete="off"
              onChange={(event) => setName(event.target.value)}
            />
          </div>
          <Button type="submit" disabled={add.isPending}>
            <UserPlus aria-hidden size={16} />
            Add
          </Button>
        </form>
        {(add.error ?? remove.error) && (
          <p role="alert" className="text-sm text-warn-text">
            {(add.error ?? remove.error)?.message}
          </p>
        )}
      </div>
    </Card>
  );
}
