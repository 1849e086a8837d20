/** The first minutes of a server: the one-time link makes the first account and its channel. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api } from '../../api/client';
import { Button, buttonClass } from '../../ui/button';
import { Card } from '../../ui/card';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { sessionQuery } from '../account';
import { Frame } from '../frame';
import { handleFrom, handleProblem } from '../handle';
import { useTitle } from '../title';

const SHORTEST_PASSWORD = 8;

export function SetupPage() {
  useTitle('Set up');
  const setup = useQuery({ queryKey: ['setup'], queryFn: api.setupNeeded });
  return (
    <Frame>
      <div className="mx-auto w-full max-w-md px-4 py-8 sm:py-14">
        {setup.data?.needed === false ? (
          <Card>
            <h1 className="text-xl font-semibold tracking-tight">This server is set up</h1>
            <p className="mt-2 text-sm text-ink-2">
              The set-up link works once. Sign in with the account that was made with it.
            </p>
            <Link to="/login" className={`${buttonClass('primary')} mt-6 w-full`}>
              Sign in
            </Link>
          </Card>
        ) : (
          <SetupForm />
        )}
      </div>
    </Frame>
  );
}

function SetupForm() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [fromLink] = useState(() => location.hash.slice(1));
  const [token, setToken] = useState(fromLink);
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [typed, setTyped] = useState<string | null>(null);
  const handle = typed ?? handleFrom(name);
  const create = useMutation({
    mutationFn: () => api.setUp({ token: token.trim(), name: name.trim(), password, handle }),
    onSuccess: async (session) => {
      // The token has done its work; it shall not stay in the address or the history.
      history.replaceState(history.state, '', location.pathname);
      queries.setQueryData(sessionQuery.queryKey, session);
      await navigate({ to: '/studio', replace: true });
    },
  });
  const short = password !== '' && password.length < SHORTEST_PASSWORD;
  const badHandle = handle === '' ? null : handleProblem(handle);
  return (
    <Card>
      <h1 className="text-xl font-semibold tracking-tight">Welcome to your server</h1>
      <p className="mt-2 text-sm text-ink-2">
        Make the first account. It runs the server and owns the first channel.
      </p>
      <form
        className="mt-6 flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        {!fromLink && (
          <TextField
            label="Set-up code"
            hint="The part after # in the link that the server printed when it started."
            value={token}
            required
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setToken(event.target.value.replace(/^.*#/, ''))}
          />
        )}
        <TextField
          label="Your name"
          hint="You sign in with it."
          value={name}
          required
          maxLength={40}
          autoComplete="username"
          onChange={(event) => setName(event.target.value)}
        />
        <TextField
          label="Password"
          type="password"
          value={password}
          required
          minLength={SHORTEST_PASSWORD}
          autoComplete="new-password"
          error={short && `At least ${SHORTEST_PASSWORD} characters.`}
          hint={`At least ${SHORTEST_PASSWORD} characters.`}
          onChange={(event) => setPassword(event.target.value)}
        />
        <TextField
          label="Channel handle"
          prefix="@"
          value={handle}
          required
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          error={badHandle}
          hint={`Your page: ${location.host}/@${handle || 'handle'}. It stays the same for ever.`}
          onChange={(event) => setTyped(event.target.value.toLowerCase())}
        />
        {create.error && <Notice title="That did not work">{create.error.message}</Notice>}
        <Button
          type="submit"
          look="primary"
          size="lg"
          disabled={
            create.isPending || short || !token || !name.trim() || !password || handleProblem(handle) !== null
          }
        >
          {create.isPending ? 'Making your account' : 'Create account and channel'}
        </Button>
      </form>
    </Card>
  );
}
