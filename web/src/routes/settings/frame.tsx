/** What stands around every page of the settings: the ways to the others, and the account itself. */
import { queryOptions, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { type Account, accountApi } from '../../api/account';
import { useRequiredAccount } from '../account';
import { Frame } from '../frame';
import { useHereInView } from '../here_in_view';
import { Opening } from '../no_answer';
import { useTitle } from '../title';
import { SECTIONS } from './sections';

export const accountQuery = queryOptions({ queryKey: ['account'], queryFn: accountApi.show });

export function SettingsFrame({ children }: { children: (account: Account) => ReactNode }) {
  useTitle('Settings');
  const session = useRequiredAccount();
  const nav = useHereInView();
  const query = useQuery({ ...accountQuery, enabled: Boolean(session.data) });
  return (
    <Frame>
      <div className="mx-auto w-full max-w-3xl p-4 sm:p-6">
        <h1 className="mb-4 text-2xl font-semibold tracking-tight">Settings</h1>
        <nav
          ref={nav}
          aria-label="Settings"
          className="mb-5 flex gap-1 overflow-x-auto border-b border-line sm:mb-6"
        >
          {SECTIONS.map(({ to, label, icon: Icon }) => (
            <Link
              key={to}
              to={to}
              activeOptions={{ exact: true, includeSearch: false }}
              className="-mb-px inline-flex min-h-11 shrink-0 items-center gap-2 border-b-2 border-transparent px-3 text-sm font-medium text-ink-2 hover:text-ink aria-[current=page]:border-accent aria-[current=page]:text-ink"
            >
              <Icon aria-hidden size={16} />
              {label}
            </Link>
          ))}
        </nav>
        {query.data ? (
          <div className="flex flex-col gap-5 sm:gap-6">{children(query.data)}</div>
        ) : (
          <Opening
            what="your settings"
            error={query.failureReason ?? session.failureReason}
            onRetry={() => void query.refetch()}
          />
        )}
      </div>
    </Frame>
  );
}
