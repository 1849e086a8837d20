/** Choosing a new password by the link from the mail. */
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { authApi } from '../../api/account';
import { Button, buttonClass } from '../../ui/button';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { GatePage } from '../gate';
import { isTooShort, SHORTEST_PASSWORD } from '../password_rules';
import { useTitle } from '../title';
import { useLinkSecret } from '../use_link_secret';

export function ResetPage() {
  useTitle('Choose a new password');
  const token = useLinkSecret();
  const [password, setPassword] = useState('');
  const reset = useMutation({ mutationFn: () => authApi.reset({ token, password }) });
  const short = isTooShort(password);
  if (reset.isSuccess) {
    return (
      <GatePage title="Your password is changed">
        <p className="mt-3 text-sm text-ink-2">You were signed out everywhere. Sign in with the new one.</p>
        <Link to="/login" className={`${buttonClass('primary')} mt-6 w-full`}>
          Sign in
        </Link>
      </GatePage>
    );
  }
  return (
    <GatePage title="Choose a new password">
      {token === '' ? (
        <div className="mt-6">
          <Notice
            title="This link is not whole"
            action={
              <Link to="/forgot" className={buttonClass('secondary', 'sm')}>
                Ask for a new link
              </Link>
            }
          >
            Open it from the mail again; some programs cut long links.
          </Notice>
        </div>
      ) : (
        <form
          className="mt-6 flex flex-col gap-5"
          onSubmit={(event) => {
            event.preventDefault();
            reset.mutate();
          }}
        >
          <TextField
            label="New password"
            type="password"
            value={password}
            required
            autoFocus
            autoComplete="new-password"
            hint={`At least ${SHORTEST_PASSWORD} characters.`}
            error={short ? `At least ${SHORTEST_PASSWORD} characters.` : undefined}
            onChange={(event) => setPassword(event.target.value)}
          />
          {reset.error && (
            <Notice
              title="The password was not changed"
              action={
                <Link to="/forgot" className={buttonClass('secondary', 'sm')}>
                  Ask for a new link
                </Link>
              }
            >
              {reset.error.message}
            </Notice>
          )}
          <Button type="submit" look="primary" size="lg" disabled={reset.isPending || short}>
            Change the password
          </Button>
        </form>
      )}
    </GatePage>
  );
}
