/** For OBS and other encoders: where to send, with which key, and what arrives. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import type { OwnChannel } from '../../api/types';
import { CopyRow } from '../../ui/copy';
import { useRequiredAccount } from '../account';
import { Frame } from '../frame';
import { NewChannel } from '../new_channel';
import { Opening } from '../no_answer';
import { useTitle } from '../title';
import { ObsCard } from './obs_card';
import { ReceiveCard } from './receive_card';
import { RecordingsCard } from './recordings_card';

export function DashboardPage() {
  useTitle('Dashboard');
  const query = useRequiredAccount();
  const account = query.data;
  const search = useSearch({ from: '/dashboard' });
  const channels = account?.channels ?? [];
  const channel = channels.find(({ handle }) => handle === search.channel) ?? channels[0];
  return (
    <Frame>
      {channel ? (
        <Dashboard key={channel.handle} channel={channel} channels={channels} />
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

function Dashboard({ channel, channels }: { channel: OwnChannel; channels: OwnChannel[] }) {
  const navigate = useNavigate();
  return (
    <div className="mx-auto w-full max-w-6xl p-4 sm:p-6">
      <div className="mb-5 flex min-h-11 flex-wrap items-center gap-x-4 gap-y-2">
        <h1 className="text-2xl font-semibold tracking-tight">Dashboard</h1>
        {channels.length > 1 ? (
          <select
            aria-label="Channel"
            value={channel.handle}
            onChange={(event) => void navigate({ to: '/dashboard', search: { channel: event.target.value } })}
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
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-4 lg:grid-cols-[minmax(0,1.35fr)_minmax(0,1fr)] lg:gap-6">
        <ObsCard handle={channel.handle} />
        <div className="order-first flex min-w-0 flex-col gap-4 lg:order-none lg:gap-6">
          <ReceiveCard handle={channel.handle} />
          <section className="rounded-card border border-line bg-surface-1 p-5 sm:p-6">
            <CopyRow label="Your page, to share" value={`${location.origin}/@${channel.handle}`} />
          </section>
        </div>
      </div>
      <RecordingsCard channel={channel} />
    </div>
  );
}
