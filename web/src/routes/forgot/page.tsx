/** Asking for a link to choose a new password. The answer is the same for every address. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { authApi } from '../../api/account';
import { Button, buttonClass } from '../../ui/button';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { GatePage, gateLink } from '../gate';
import { useTitle } from '../title';

export function ForgotPage() {
  useTitle('Forgot your password');
  const rules = useQuery({ queryKey: ['registration'], queryFn: authApi.registration });
  const [email, setEmail] = useState('');
  const ask = useMutation({ mutationFn: () => authApi.askForReset(email.trim()) });
  if (ask.isSuccess) {
    return (
      <GatePage title="Look into your mail">
        <p className="mt-3 text-sm text-ink-2">
          If an account has confirmed <strong className="text-ink">{email.trim()}</strong>, a link to choose a
          new password is on its way there. It works for an hour. Look into the spam folder, too.
        </p>
        <Link to="/login" className={`${buttonClass('secondary')} mt-6 w-full`}>
          To the sign-in page
        </Link>
      </GatePage>
    );
  }
  return (
    <GatePage title="Forgot your password?">
      {rules.data?.has_mail === false ? (
        <div className="mt-6">
          <Notice tone="info" title="This server sends no mail">
            Ask whoever runs it for a new password.
          </Notice>
        </div>
      ) : (
        <form
          className="mt-3 flex flex-col gap-5"
          onSubmit={(event) => {
            event.preventDefault();
            ask.mutate();
          }}
        >
          <p className="text-sm text-ink-2">
            We send a link to the address of your account. With it you choose a new password.
          </p>
          <TextField
            label="E-mail address"
            type="email"
            value={email}
            required
            autoFocus
            autoComplete="email"
            onChange={(event) => setEmail(event.target.value)}
          />
          {ask.error && <Notice title="No link was sent">{ask.error.message}</Notice>}
          <Button type="submit" look="primary" size="lg" disabled={ask.isPending}>
            Send the link
          </Button>
        </form>
      )}
      <p className="mt-6 border-t border-line pt-5 text-sm">
        <Link to="/login" className={gateLink}>
          Back to sign in
        </Link>
      </p>
    </GatePage>
  );
}
