/** Links with accounts at providers, by which one signs in as well. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { identityApi } from '../../api/instance';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { Notice } from '../../ui/notice';
import { ago, useNow } from '../../ui/time';
import { ProviderProblem } from '../login/providers';

const key = ['account', 'identities'];

export function ProvidersCard() {
  const queries = useQueryClient();
  const now = useNow(false);
  const { problem } = useSearch({ from: '/settings/security' });
  const query = useQuery({ queryKey: key, queryFn: identityApi.list });
  const link = useMutation({
    mutationFn: identityApi.link,
    onSuccess: ({ url }) => location.assign(url),
  });
  const unlink = useMutation({
    mutationFn: identityApi.unlink,
    onSettled: () => queries.invalidateQueries({ queryKey: key }),
  });
  const { items = [], providers = [] } = query.data ?? {};
  if (items.length === 0 && providers.length === 0) return null;
  const failure = link.error ?? unlink.error;
  const labelOf = (name: string | null | undefined) =>
    providers.find((provider) => provider.name === name)?.label ?? 'A provider of the past';
  return (
    <Card title="Other ways to sign in">
      <div className="flex flex-col gap-4">
        {problem !== undefined && <ProviderProblem code={problem} />}
        {failure && <Notice title="That did not work">{failure.message}</Notice>}
        <ul className="divide-y divide-line">
          {items.map((identity) => (
            <li
              key={identity.id}
              className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3 first:pt-0 last:pb-0"
            >
              <div className="min-w-0 flex-1 basis-60">
                <p className="text-sm font-medium break-words">
                  {labelOf(identity.provider)}: {identity.label}
                </p>
                <p className="text-sm text-ink-3">used {ago(identity.last_used_at, now)}</p>
              </div>
              <Button
                size="sm"
                disabled={unlink.isPending}
                aria-label={`Unlink ${labelOf(identity.provider)}`}
                onClick={() => unlink.mutate(identity.id)}
              >
                Unlink
              </Button>
            </li>
          ))}
        </ul>
        <div className="flex flex-wrap gap-3">
          {providers
            .filter(({ name }) => !items.some((identity) => identity.provider === name))
            .map(({ name, label }) => (
              <Button key={name} disabled={link.isPending} onClick={() => link.mutate(name)}>
                Link {label}
              </Button>
            ))}
        </div>
      </div>
    </Card>
  );
}
