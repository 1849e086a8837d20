/** Sends the link that confirms an address once more, to another one where the first was mistyped. */
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { authApi } from '../api/account';
import { Button } from '../ui/button';
import { TextField } from '../ui/field';
import { Notice } from '../ui/notice';

export function ConfirmAgain({
  name,
  password,
  address,
}: {
  name: string;
  password: string;
  /** Where the last link went; empty where that is not known. */
  address: string;
}) {
  const [email, setEmail] = useState(address);
  const send = useMutation({
    mutationFn: () => authApi.askToConfirm({ name, password, email: email.trim() }),
  });
  return (
    <form
      className="mt-6 flex flex-col gap-4 border-t border-line pt-5"
      onSubmit={(event) => {
        event.preventDefault();
        send.mutate();
      }}
    >
      <TextField
        label="E-mail address"
        type="email"
        value={email}
        required
        autoComplete="email"
        hint="No mail there? Look into the spam folder, and whether the address is right."
        onChange={(event) => {
          send.reset();
          setEmail(event.target.value);
        }}
      />
      {send.error && <Notice title="No link was sent">{send.error.message}</Notice>}
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <Button type="submit" disabled={send.isPending}>
          Send the link again
        </Button>
        <span role="status" className="text-sm text-ink-2">
          {send.isSuccess && 'It is on its way.'}
        </span>
      </div>
    </form>
  );
}
