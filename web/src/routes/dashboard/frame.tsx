/** What stands around every page of the dashboard: which channel it is about, and the ways to the others. */
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { OwnChannel } from '../../api/types';
import { useRequiredAccount } from '../account';
import { Frame } from '../frame';
import { useHereInView } from '../here_in_view';
import { NewChannel } from '../new_channel';
import { Opening } from '../no_answer';
import { usePayments } from '../payments/use_payments';
import { useTitle } from '../title';
import { SECTIONS, type Section } from './sections';

export function DashboardFrame({
  section,
  children,
}: {
  section: Section;
  children: (channel: OwnChannel) => ReactNode;
}) {
  useTitle('Dashboard');
  const query = useRequiredAccount();
  const account = query.data;
  const search = useSearch({ from: section });
  const channels = account?.channels ?? [];
  const channel = channels.find(({ handle }) => handle === search.channel) ?? channels[0];
  return (
    <Frame>
      {channel ? (
        <div key={channel.handle} className="mx-auto w-full max-w-6xl p-4 sm:p-6">
          <Heading section={section} channel={channel} channels={channels} />
          {children(channel)}
        </div>
      ) : (
        <>
          <h1 className="sr-only">Dashboard</h1>
          {account ? (
            <NewChannel />
          ) : (
            <Opening what="the dashboard" error={query.failureReason} onRetry={() => void query.refetch()} />
          )}
        </>
      )}
    </Frame>
  );
}

function Heading({
  section,
  channel,
  channels,
}: {
  section: Section;
  channel: OwnChannel;
  channels: OwnChannel[];
}) {
  const navigate = useNavigate();
  const nav = useHereInView();
  const arePaid = usePayments() !== 'off';
  const sections = SECTIONS.filter(({ to }) => arePaid || to !== '/dashboard/money');
  return (
    <>
      <div className="mb-5 flex min-h-11 flex-wrap items-center gap-x-4 gap-y-2">
        <h1 className="text-2xl font-semibold tracking-tight">Dashboard</h1>
        {channels.length > 1 ? (
          <select
            aria-label="Channel"
            value={channel.handle}
            onChange={(event) => void navigate({ to: section, search: { channel: event.target.value } })}
            className="min-h-11 rounded-control border border-line bg-surface-1 px-3 text-sm"
          >
            {channels.map(({ handle }) => (
              <option key={handle} value={handle}>
                @{handle}
              </option>
            ))}
          </select>
        ) : (
          <span className="text-ink-3">@{channel.handle}</span>
        )}
      </div>
      {sections.length > 1 && (
        <nav
          ref={nav}
          aria-label="Dashboard"
          className="mb-5 flex gap-1 overflow-x-auto border-b border-line sm:mb-6"
        >
          {sections.map(({ to, label, icon: Icon }) => (
            <Link
              key={to}
              to={to}
              search={channels.length > 1 ? { channel: channel.handle } : {}}
              activeOptions={{ exact: true, includeSearch: false }}
              className="-mb-px inline-flex min-h-11 shrink-0 items-center gap-2 border-b-2 border-transparent px-3 text-sm font-medium text-ink-2 hover:text-ink aria-[current=page]:border-accent aria-[current=page]:text-ink"
            >
              <Icon aria-hidden size={16} />
              {label}
            </Link>
          ))}
        </nav>
      )}
    </>
  );
}
