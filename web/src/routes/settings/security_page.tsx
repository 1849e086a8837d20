/** Password, the second step of signing in, and where one is signed in. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { MonitorSmartphone } from 'lucide-react';
import { useState } from 'react';
import { type Account, accountApi, type OwnSession } from '../../api/account';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { Pill } from '../../ui/pill';
import { ago, useNow } from '../../ui/time';
import { isTooShort, SHORTEST_PASSWORD } from '../password_rules';
import { browserName } from './browser_name';
import { accountQuery, SettingsFrame } from './frame';
import { ProvidersCard } from './providers_card';
import { SecondStepCard } from './second_step_card';

export function SecurityPage() {
  return (
    <SettingsFrame>
      {(account) => (
        <>
          <PasswordCard account={account} />
          <SecondStepCard account={account} />
          <ProvidersCard />
          <SessionsCard />
        </>
      )}
    </SettingsFrame>
  );
}

const sessionsKey = ['account', 'sessions'];

function PasswordCard({ account }: { account: Account }) {
  const queries = useQueryClient();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const change = useMutation({
    mutationFn: () => accountApi.edit({ password: next, current_password: current }),
    onSuccess: (account) => {
      queries.setQueryData(accountQuery.queryKey, account);
      void queries.invalidateQueries({ queryKey: sessionsKey });
      setCurrent('');
      setNext('');
    },
  });
  const short = isTooShort(next);
  return (
    <Card title="Password">
      <form
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate();
        }}
      >
        {account.has_password ? (
          <TextField
            label="Present password"
            type="password"
            value={current}
            required
            autoComplete="current-password"
            onChange={(event) => setCurrent(event.target.value)}
          />
        ) : (
          <p className="text-sm text-ink-2">
            You sign in by a provider. With a password you can sign in by your name, too.
          </p>
        )}
        <TextField
          label="New password"
          type="password"
          value={next}
          required
          autoComplete="new-password"
          hint="Everywhere else you are signed out by it."
          error={short ? `At least ${SHORTEST_PASSWORD} characters.` : undefined}
          onChange={(event) => setNext(event.target.value)}
        />
        {change.error && <Notice title="The password was not changed">{change.error.message}</Notice>}
        <div className="flex min-h-11 flex-wrap items-center gap-4">
          <Button
            type="submit"
            look="primary"
            disabled={change.isPending || short || (account.has_password && current === '') || next === ''}
          >
            {account.has_password ? 'Change the password' : 'Set a password'}
          </Button>
          <span role="status" className="text-sm text-ink-2">
            {change.isSuccess && next === '' ? 'Changed' : ''}
          </span>
        </div>
      </form>
    </Card>
  );
}

function SessionsCard() {
  const queries = useQueryClient();
  const sessions = useQuery({ queryKey: sessionsKey, queryFn: accountApi.sessions });
  const refresh = () => queries.invalidateQueries({ queryKey: sessionsKey });
  const end = useMutation({ mutationFn: accountApi.endSession, onSettled: refresh });
  const endOthers = useMutation({ mutationFn: accountApi.endOtherSessions, onSettled: refresh });
  const now = useNow(false);
  const items = sessions.data?.items ?? [];
  const failure = sessions.error ?? end.error ?? endOthers.error;
  return (
    <Card
      title="Where you are signed in"
      aside={
        items.length > 1 && (
          <Button size="sm" disabled={endOthers.isPending} onClick={() => endOthers.mutate()}>
            Sign out everywhere else
          </Button>
        )
      }
    >
      {failure && <Notice title="That did not work">{failure.message}</Notice>}
      <ul className="divide-y divide-line">
        {items.map((session) => (
          <SessionRow
            key={session.id}
            session={session}
            now={now}
            pending={end.isPending}
            onEnd={() => end.mutate(session.id)}
          />
        ))}
      </ul>
    </Card>
  );
}

interface SessionRowProps {
  session: OwnSession;
  now: number;
  pending: boolean;
  onEnd: () => void;
}

function SessionRow({ session, now, pending, onEnd }: SessionRowProps) {
  const name = browserName(session.user_agent);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3 first:pt-0 last:pb-0">
      <MonitorSmartphone aria-hidden size={20} className="shrink-0 text-ink-3" />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-2 text-sm font-medium">
          {name}
          {session.is_current && <Pill tone="neutral">This one</Pill>}
        </p>
        <p className="text-sm text-ink-3">
          {session.address || 'unknown network'} · used {ago(session.last_seen_at, now)}
        </p>
      </div>
      {!session.is_current && (
        <Button size="sm" disabled={pending} aria-label={`Sign out ${name}`} onClick={onEnd}>
          Sign out
        </Button>
      )}
    </li>
  );
}
