/** Personal tokens, by which programs act for the account. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { accountApi, type Token } from '../../api/account';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { CopyRow } from '../../ui/copy';
import { SelectField, TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { ago, useNow } from '../../ui/time';
import { gateLink } from '../gate';
import { SettingsFrame } from './frame';

const tokensKey = ['account', 'tokens'];

const RESOURCES = [
  ['account', 'Your account'],
  ['channels', 'Channels'],
  ['streams', 'Streams'],
  ['recordings', 'Recordings'],
  ['follows', 'Follows'],
  ['notifications', 'Notifications'],
  ['webhooks', 'Webhooks'],
] as const;
const FOR_ADMINS = ['admin', 'Administration'] as const;

const LIFETIMES = [
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', 'A year'],
  ['', 'Until I delete it'],
] as const;

export function TokensPage() {
  return (
    <SettingsFrame>
      {(account) => (
        <>
          <NewTokenCard isAdmin={account.role === 'admin'} />
          <TokensCard />
        </>
      )}
    </SettingsFrame>
  );
}

function NewTokenCard({ isAdmin }: { isAdmin: boolean }) {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [days, setDays] = useState('90');
  const [scopes, setScopes] = useState<ReadonlySet<string>>(new Set());
  const create = useMutation({
    mutationFn: () =>
      accountApi.createToken({
        name: name.trim(),
        scopes: [...scopes],
        days: days === '' ? null : Number(days),
      }),
    onSuccess: () => {
      setName('');
      setScopes(new Set());
      return queries.invalidateQueries({ queryKey: tokensKey });
    },
  });
  const resources = isAdmin ? [...RESOURCES, FOR_ADMINS] : RESOURCES;
  const flip = (scope: string) => {
    const next = new Set(scopes);
    if (!next.delete(scope)) next.add(scope);
    setScopes(next);
  };
  if (create.data) {
    return (
      <Card title="Your new token">
        <div className="flex flex-col gap-4">
          <Notice title="Keep this token now">It is shown this once.</Notice>
          <CopyRow label="Token" value={create.data.token} />
          <p className="text-sm text-ink-2">
            Programs send it with each request:{' '}
            <code className="font-mono text-ink">Authorization: Bearer {create.data.prefix}…</code>
          </p>
          <Button className="self-start" onClick={() => create.reset()}>
            I have kept it
          </Button>
        </div>
      </Card>
    );
  }
  return (
    <Card title="New token">
      <form
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <p className="text-sm text-ink-2">
          With a token a program does over the API what you allow it. It never sees your password and cannot
          change it. All that can be asked is in the{' '}
          <a href="/api/docs" className={gateLink}>
            API reference
          </a>
          .
        </p>
        <TextField
          label="Name"
          value={name}
          required
          maxLength={80}
          placeholder="Stream deck"
          onChange={(event) => setName(event.target.value)}
        />
        <SelectField label="It works for" value={days} onChange={(event) => setDays(event.target.value)}>
          {LIFETIMES.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </SelectField>
        <fieldset>
          <legend className="mb-1.5 text-sm font-medium">What it may do</legend>
          <ul className="divide-y divide-line rounded-control border border-line">
            {resources.map(([resource, label]) => (
              <li key={resource} className="flex flex-wrap items-center justify-between gap-x-4 px-3 py-1">
                <span className="text-sm">{label}</span>
                <span className="flex gap-4">
                  {(['read', 'write'] as const).map((verb) => (
                    <label key={verb} className="flex min-h-11 cursor-pointer items-center gap-2 text-sm">
                      <input
                        type="checkbox"
                        aria-label={`${label}: ${verb === 'read' ? 'see' : 'change'}`}
                        checked={scopes.has(`${resource}:${verb}`)}
                        onChange={() => flip(`${resource}:${verb}`)}
                        className="size-4 accent-ink"
                      />
                      <span aria-hidden>{verb === 'read' ? 'See' : 'Change'}</span>
                    </label>
                  ))}
                </span>
              </li>
            ))}
          </ul>
        </fieldset>
        {create.error && <Notice title="The token was not made">{create.error.message}</Notice>}
        <Button
          type="submit"
          look="primary"
          className="self-start"
          disabled={create.isPending || name.trim() === '' || scopes.size === 0}
        >
          Make the token
        </Button>
      </form>
    </Card>
  );
}

function TokensCard() {
  const queries = useQueryClient();
  const tokens = useQuery({ queryKey: tokensKey, queryFn: accountApi.tokens });
  const remove = useMutation({
    mutationFn: accountApi.deleteToken,
    onSettled: () => queries.invalidateQueries({ queryKey: tokensKey }),
  });
  const now = useNow(false);
  const failure = tokens.error ?? remove.error;
  return (
    <Card title="Your tokens">
      {failure && <Notice title="That did not work">{failure.message}</Notice>}
      {tokens.data?.items.length === 0 && (
        <p className="text-sm text-ink-2">No program acts for you yet. Make a token above to let one.</p>
      )}
      <ul className="divide-y divide-line">
        {tokens.data?.items.map((token) => (
          <li
            key={token.id}
            className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3 first:pt-0 last:pb-0"
          >
            <div className="min-w-0 flex-1 basis-60">
              <p className="text-sm font-medium break-words">
                {token.name} <code className="font-mono text-ink-3">{token.prefix}…</code>
              </p>
              <p className="text-sm text-ink-3">{token.scopes.join(', ')}</p>
              <p className="text-sm text-ink-3">{lifeOf(token, now)}</p>
            </div>
            <Button
              size="sm"
              look="warn"
              disabled={remove.isPending}
              aria-label={`Delete the token ${token.name}`}
              onClick={() => remove.mutate(token.id)}
            >
              Delete
            </Button>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function lifeOf(token: Token, now: number): string {
  const used = token.last_used_at ? `used ${ago(token.last_used_at, now)}` : 'never used';
  if (!token.expires_at) return `${used} · until you delete it`;
  const ends = ago(token.expires_at, now);
  return Date.parse(token.expires_at) <= now ? `${used} · expired ${ends}` : `${used} · expires ${ends}`;
}
