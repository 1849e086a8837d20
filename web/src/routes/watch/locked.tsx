/** A channel that is not open to all: why, and what to do. */
import { useMutation } from '@tanstack/react-query';
import { Lock } from 'lucide-react';
import { useState } from 'react';
import { channelsApi } from '../../api/channels';
import { Button } from '../../ui/button';
import { TextField } from '../../ui/field';

export function Locked({ handle, by }: { handle: string; by: 'password' | 'members' }) {
  return (
    <div className="on-video flex min-h-72 items-center justify-center bg-surface-0 px-4 py-10 text-ink sm:aspect-video sm:rounded-card">
      <div className="flex w-full max-w-sm flex-col items-center text-center">
        <span className="flex size-12 items-center justify-center rounded-full bg-surface-2 text-ink-2">
          <Lock aria-hidden size={22} />
        </span>
        {by === 'password' ? (
          <>
            <h2 className="mt-4 text-lg font-semibold">This channel asks for a password</h2>
            <p className="mt-1 text-sm text-ink-2">Whoever invited you knows it.</p>
            <PasswordForm handle={handle} />
          </>
        ) : (
          <>
            <h2 className="mt-4 text-lg font-semibold">This channel is for members</h2>
            <p className="mt-1 text-sm text-ink-2">
              Memberships cannot be had yet. Until then only its owner and moderators can watch: if you are
              one of them, sign in.
            </p>
          </>
        )}
      </div>
    </div>
  );
}

function PasswordForm({ handle }: { handle: string }) {
  const [password, setPassword] = useState('');
  const enter = useMutation({
    mutationFn: () => channelsApi.enter(handle, password),
    // The player was refused as well, and begins anew with the page.
    onSuccess: () => location.reload(),
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
        label="Password of the channel"
        type="password"
        autoComplete="off"
        required
        value={password}
        error={enter.error?.message}
        onChange={(event) => setPassword(event.target.value)}
      />
      <Button type="submit" look="primary" disabled={enter.isPending || enter.isSuccess}>
        {enter.isPending || enter.isSuccess ? 'Opening' : 'Watch'}
      </Button>
    </form>
  );
}
