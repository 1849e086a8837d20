import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { channelsApi } from '../../api/channels';
import { fieldError } from '../../api/client';
import { entryApi } from '../../api/entry';
import type { Lock } from '../../gates/lock';
import { Button } from '../../ui/button';
import { TextField } from '../../ui/field';
import { useAskAccessAgain } from './access';

/** What is shut: a channel, or one stream or recording of it. */
export interface Shut {
  of: Lock['of'];
  /** Of the stream or the recording; of no use for a channel. */
  id: string;
}

export function PasswordForm({ handle, shut: { of, id } }: { handle: string; shut: Shut }) {
  const [password, setPassword] = useState('');
  const again = useAskAccessAgain(handle);
  const enter = useMutation({
    mutationFn: () =>
      of === 'channel' ? channelsApi.enter(handle, password) : entryApi.enter(of, id, password),
    onSuccess: again,
    onError: () => setPassword(''),
  });
  return (
    <form
      className="mt-5 flex w-full flex-col gap-3 text-left"
      onSubmit={(event) => {
        event.preventDefault();
        enter.mutate();
      }}
    >
      <TextField
        label={`Password of the ${of}`}
        type="password"
        autoComplete="off"
        required
        value={password}
        error={fieldError(enter.error, 'password') ?? enter.error?.message}
        onChange={(event) => setPassword(event.target.value)}
      />
      <Button type="submit" look="primary" disabled={enter.isPending || enter.isSuccess}>
        {enter.isPending || enter.isSuccess ? 'Opening' : 'Watch'}
      </Button>
    </form>
  );
}
