/** Making an account, by an invite's link or freely, as the operator lets people. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { authApi, isNextStep, type Registration } from '../../api/account';
import { Button, buttonClass } from '../../ui/button';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { sessionQuery } from '../account';
import { ConfirmAgain } from '../confirm_again';
import { GatePage, gateLink } from '../gate';
import { isTooShort, SHORTEST_PASSWORD } from '../password_rules';
import { useTitle } from '../title';
import { useLinkSecret } from '../use_link_secret';

export function SignUpPage() {
  useTitle('Make an account');
  const invite = useLinkSecret();
  const rules = useQuery({ queryKey: ['registration'], queryFn: authApi.registration });
  const [waiting, setWaiting] = useState<Waiting | null>(null);
  if (waiting) return <LinkSent {...waiting} />;
  return (
    <GatePage title="Make an account">
      {rules.isPending && (
        <p className="mt-4 text-sm text-ink-2" role="status">
          One moment…
        </p>
      )}
      {rules.error && (
        <div className="mt-6">
          <Notice title="This page could not be loaded">{rules.error.message}</Notice>
        </div>
      )}
      {rules.data?.mode === 'closed' && (
        <Shut>Nobody can sign up here by themselves. Ask whoever runs this server for an account.</Shut>
      )}
      {rules.data?.mode === 'invite' && invite === '' && (
        <Shut>
          Signing up needs an invite. Ask whoever runs this server for a link, and open it in this browser.
        </Shut>
      )}
      {rules.data && (rules.data.mode === 'open' || (rules.data.mode === 'invite' && invite !== '')) && (
        <SignUpForm rules={rules.data} invite={invite} onLinkSent={setWaiting} />
      )}
      <p className="mt-6 border-t border-line pt-5 text-sm text-ink-2">
        Have an account?{' '}
        <Link to="/login" className={gateLink}>
          Sign in
        </Link>
      </p>
    </GatePage>
  );
}

function Shut({ children }: { children: string }) {
  return (
    <div className="mt-6">
      <Notice tone="info" title="Ask for a way in">
        {children}
      </Notice>
    </div>
  );
}

/** Somebody whose address is to be confirmed. */
interface Waiting {
  name: string;
  password: string;
  address: string;
}

function LinkSent(waiting: Waiting) {
  return (
    <GatePage title="Open the link in your mail">
      <p className="mt-3 text-sm text-ink-2">
        We sent a link to <strong className="text-ink">{waiting.address}</strong>. Open it to confirm that the
        address is yours; then you can sign in. It works for a day.
      </p>
      <Link to="/login" className={`${buttonClass('primary')} mt-6 w-full`}>
        To the sign-in page
      </Link>
      <ConfirmAgain {...waiting} />
    </GatePage>
  );
}

interface SignUpFormProps {
  rules: Registration;
  invite: string;
  onLinkSent: (waiting: Waiting) => void;
}

function SignUpForm({ rules, invite, onLinkSent }: SignUpFormProps) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const signUp = useMutation({
    mutationFn: () =>
      authApi.register({
        name: name.trim(),
        password,
        ...(email.trim() === '' ? {} : { email: email.trim() }),
        ...(invite === '' ? {} : { invite }),
        language: navigator.language,
      }),
    onSuccess: async (body) => {
      if (isNextStep(body)) {
        onLinkSent({ name: name.trim(), password, address: email.trim() });
        return;
      }
      queries.setQueryData(sessionQuery.queryKey, body);
      await navigate({ to: '/', replace: true });
    },
  });
  const short = isTooShort(password);
  return (
    <form
      className="mt-6 flex flex-col gap-5"
      onSubmit={(event) => {
        event.preventDefault();
        signUp.mutate();
      }}
    >
      <TextField
        label="Name"
        value={name}
        required
        autoFocus
        minLength={2}
        maxLength={60}
        autoComplete="username"
        hint="You sign in with it, and others see it."
        onChange={(event) => setName(event.target.value)}
      />
      <TextField
        label={rules.is_email_required ? 'E-mail address' : 'E-mail address (optional)'}
        type="email"
        value={email}
        required={rules.is_email_required}
        autoComplete="email"
        hint={
          rules.has_mail
            ? 'We send a link there to confirm it. It gets you a new password when you forget yours.'
            : 'Nobody else sees it.'
        }
        onChange={(event) => setEmail(event.target.value)}
      />
      <TextField
        label="Password"
        type="password"
        value={password}
        required
        autoComplete="new-password"
        hint={`At least ${SHORTEST_PASSWORD} characters. A few words in a row are good and easy to type.`}
        error={short ? `At least ${SHORTEST_PASSWORD} characters.` : undefined}
        onChange={(event) => setPassword(event.target.value)}
      />
      {signUp.error && <Notice title="The account was not made">{signUp.error.message}</Notice>}
      <Button type="submit" look="primary" size="lg" disabled={signUp.isPending || short}>
        {signUp.isPending ? 'Making the account' : 'Make the account'}
      </Button>
    </form>
  );
}
