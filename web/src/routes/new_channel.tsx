import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../api/client';
import { Button } from '../ui/button';
import { Card } from '../ui/card';
import { TextField } from '../ui/field';
import { Notice } from '../ui/notice';
import { sessionQuery } from './account';
import { handleFrom, handleProblem } from './handle';

/** For an account without a channel: the one step before anything else. */
export function NewChannel() {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [typed, setTyped] = useState<string | null>(null);
  const handle = typed ?? handleFrom(name);
  const create = useMutation({
    mutationFn: () => api.createChannel({ handle, name }),
    onSuccess: () => queries.invalidateQueries({ queryKey: sessionQuery.queryKey }),
  });
  return (
    <div className="mx-auto w-full max-w-md px-4 py-10 sm:py-16">
      <Card title="Make your channel">
        <form
          className="flex flex-col gap-5"
          onSubmit={(event) => {
            event.preventDefault();
            create.mutate();
          }}
        >
          <TextField
            label="Channel name"
            value={name}
            required
            maxLength={80}
            onChange={(event) => setName(event.target.value)}
          />
          <TextField
            label="Handle"
            prefix="@"
            value={handle}
            required
            autoCapitalize="none"
            spellCheck={false}
            error={handle && handleProblem(handle)}
            hint={`Your page will be ${location.host}/@${handle || 'handle'}`}
            onChange={(event) => setTyped(event.target.value.toLowerCase())}
          />
          {create.error && <Notice title="The channel was not made">{create.error.message}</Notice>}
          <Button type="submit" look="primary" disabled={create.isPending || handleProblem(handle) !== null}>
            Make channel
          </Button>
        </form>
      </Card>
    </div>
  );
}
