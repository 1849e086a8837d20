import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useRouter, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { authApi, isNextStep, type Session } from '../../api/account';
import { ApiError } from '../../api/client';
import { Button } from '../../ui/button';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { sessionQuery } from '../account';
import { ConfirmAgain } from '../confirm_again';
import { GatePage, gateLink } from '../gate';
import { useTitle } from '../title';
import { takeChallenge } from './challenge';
import { ProviderProblem, Providers } from './providers';

const TITLES = { password: 'Sign in', code: 'Confirm that it is you' };

export function LoginPage() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const router = useRouter();
  const { next, problem } = useSearch({ from: '/login' });
  const [challenge, setChallenge] = useState(takeChallenge);
  const [password, setPassword] = useState('');
  const enter = async (session: Session) => {
    queries.setQueryData(sessionQuery.queryKey, session);
    // Only a path of this site: a link must not lead elsewhere after signing in.
    if (next && /^\/(?![/\\])/.test(next)) router.history.push(next);
    else await navigate({ to: session.channels.length > 0 ? '/studio' : '/' });
  };
  const title = TITLES[challenge === null ? 'password' : 'code'];
  useTitle(title);
  return (
    <GatePage title={title}>
      {challenge === null ? (
        <>
          {problem !== undefined && <ProviderProblem code={problem} />}
          <Providers next={next} />
          <PasswordForm
            password={password}
            setPassword={setPassword}
            onIn={enter}
            onCode={(given) => {
              setPassword('');
              setChallenge(given);
            }}
          />
        </>
      ) : (
        <CodeForm challenge={challenge} onIn={enter} onBack={() => setChallenge(null)} />
      )}
    </GatePage>
  );
}

interface PasswordFormProps {
  password: string;
  setPassword: (password: string) => void;
  onIn: (session: Session) => Promise<void>;
  onCode: (challenge: string) => void;
}

function PasswordForm({ password, setPassword, onIn, onCode }: PasswordFormProps) {
  const [name, setName] = useState('');
  const rules = useQuery({ queryKey: ['registration'], queryFn: authApi.registration });
  const signIn = useMutation({
    mutationFn: authApi.signIn,
    onSuccess: (body) => (isNextStep(body) ? onCode(body.challenge ?? '') : onIn(body)),
    onError: () => setPassword(''),
  });
  const refusal = signIn.error instanceof ApiError ? signIn.error : null;
  const wrong = refusal?.status === 401;
  const unconfirmed = refusal?.code === 'email_unconfirmed' ? signIn.variables : undefined;
  return (
    <>
      <form
        className="mt-6 flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          signIn.mutate({ name: name.trim(), password });
        }}
      >
        <TextField
          label="Name or e-mail address"
          value={name}
          required
          autoFocus
          autoComplete="username"
          onChange={(event) => setName(event.target.value)}
        />
        <TextField
          label="Password"
          type="password"
          value={password}
          required
          autoComplete="current-password"
          onChange={(event) => setPassword(event.target.value)}
        />
        {signIn.error && (
          <Notice
            title={
              wrong
                ? 'Name or password is wrong'
                : unconfirmed
                  ? 'Your address is not confirmed yet'
                  : 'Signing in did not work'
            }
          >
            {wrong ? 'Check both, also capital letters, and try again.' : signIn.error.message}
          </Notice>
        )}
        <Button type="submit" look="primary" size="lg" disabled={signIn.isPending}>
          {signIn.isPending ? 'Signing in' : 'Sign in'}
        </Button>
      </form>
      {unconfirmed && (
        <ConfirmAgain {...unconfirmed} address={unconfirmed.name.includes('@') ? unconfirmed.name : ''} />
      )}
      <div className="mt-6 flex flex-wrap justify-between gap-x-6 gap-y-2 border-t border-line pt-5 text-sm">
        <Link to="/forgot" className={gateLink}>
          Forgot your password?
        </Link>
        {rules.data && rules.data.mode !== 'closed' && (
          <Link to="/signup" className={gateLink}>
            Make an account
          </Link>
        )}
      </div>
    </>
  );
}

interface CodeFormProps {
  challenge: string;
  onIn: (session: Session) => Promise<void>;
  onBack: () => void;
}

function CodeForm({ challenge, onIn, onBack }: CodeFormProps) {
  const [code, setCode] = useState('');
  const signIn = useMutation({
    mutationFn: () => authApi.signInByCode({ challenge, code }),
    onSuccess: onIn,
    onError: () => setCode(''),
  });
  const over = signIn.error instanceof ApiError && signIn.error.code === 'challenge_over';
  return (
    <form
      className="mt-3 flex flex-col gap-5"
      onSubmit={(event) => {
        event.preventDefault();
        signIn.mutate();
      }}
    >
      <p className="text-sm text-ink-2">
        Open your authenticator app and type the six digits that it shows, or use one of your recovery codes.
      </p>
      <TextField
        label="Code"
        value={code}
        required
        autoFocus
        autoComplete="one-time-code"
        spellCheck={false}
        onChange={(event) => setCode(event.target.value)}
      />
      {signIn.error && <Notice title="That did not work">{signIn.error.message}</Notice>}
      <div className="flex flex-wrap gap-3">
        <Button type="submit" look="primary" size="lg" disabled={signIn.isPending || over}>
          Continue
        </Button>
        <Button type="button" look="ghost" size="lg" onClick={onBack}>
          Back to the password
        </Button>
      </div>
    </form>
  );
}
