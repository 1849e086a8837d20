import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useRouter, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { ApiError, api } from '../../api/client';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { sessionQuery } from '../account';
import { Frame } from '../frame';
import { useTitle } from '../title';

export function LoginPage() {
  useTitle('Sign in');
  const queries = useQueryClient();
  const navigate = useNavigate();
  const router = useRouter();
  const { next } = useSearch({ from: '/login' });
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const signIn = useMutation({
    mutationFn: () => api.signIn({ name: name.trim(), password }),
    onSuccess: async (session) => {
      queries.setQueryData(sessionQuery.queryKey, session);
      // Only a path of this site: a link must not lead elsewhere after signing in.
      if (next && /^\/(?![/\\])/.test(next)) router.history.push(next);
      else await navigate({ to: '/studio' });
    },
    onError: () => setPassword(''),
  });
  const wrong = signIn.error instanceof ApiError && signIn.error.status === 401;
  return (
    <Frame>
      <div className="mx-auto w-full max-w-md px-4 py-8 sm:py-14">
        <Card>
          <h1 className="text-xl font-semibold tracking-tight">Sign in</h1>
          <form
            className="mt-6 flex flex-col gap-5"
            onSubmit={(event) => {
              event.preventDefault();
              signIn.mutate();
            }}
          >
            <TextField
              label="Name"
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
              <Notice title={wrong ? 'Name or password is wrong' : 'Signing in did not work'}>
                {wrong ? 'Check both, also capital letters, and try again.' : signIn.error.message}
              </Notice>
            )}
            <Button type="submit" look="primary" size="lg" disabled={signIn.isPending}>
              {signIn.isPending ? 'Signing in' : 'Sign in'}
            </Button>
          </form>
        </Card>
      </div>
    </Frame>
  );
}
