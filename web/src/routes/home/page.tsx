/** Who is live now. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Eye, RadioTower } from 'lucide-react';
import { api } from '../../api/client';
import type { ChannelCard } from '../../api/types';
import { resolutionName } from '../../player/layers';
import { buttonClass } from '../../ui/button';
import { Pill } from '../../ui/pill';
import { COUNT, clock, useNow } from '../../ui/time';
import { useAccount } from '../account';
import { Frame } from '../frame';
import { NoAnswer, Opening } from '../no_answer';
import { useSilence } from '../silence';
import { useTitle } from '../title';
import { LivePicture } from './live_picture';

/** Of a list that is asked for every five seconds. */
const SILENCE_MS = 12_000;

export function HomePage() {
  useTitle('Tallylight');
  const live = useQuery({ queryKey: ['live'], queryFn: api.liveChannels, refetchInterval: 5000 });
  const silentMs = useSilence(live.dataUpdatedAt, SILENCE_MS);
  const items = live.data?.items ?? [];
  return (
    <Frame>
      <div className="mx-auto flex w-full max-w-[1680px] flex-1 flex-col p-4 sm:p-6">
        <div className="mb-5 flex items-center gap-3 sm:mb-6">
          <h1 className="text-2xl font-semibold tracking-tight">Live now</h1>
          {items.length > 0 && <span className="text-ink-3 tabular-nums">{items.length}</span>}
        </div>
        {!live.data && (
          <Opening what="the list" error={live.failureReason} onRetry={() => void live.refetch()} />
        )}
        {silentMs !== null && (
          <div className="mb-5 max-w-md">
            <NoAnswer silentMs={silentMs} onRetry={() => void live.refetch()} />
          </div>
        )}
        {live.data && items.length === 0 && <Empty />}
        {items.length > 0 && (
          <ul className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3 xl:grid-cols-4 xl:gap-5">
            {items.map((channel) => (
              <LiveCard key={channel.handle} channel={channel} known={silentMs === null} />
            ))}
          </ul>
        )}
      </div>
    </Frame>
  );
}

function LiveCard({ channel, known }: { channel: ChannelCard; known: boolean }) {
  const now = useNow();
  const size = resolutionName(channel.width, channel.height, null);
  return (
    <li>
      <Link
        to="/@{$handle}"
        params={{ handle: channel.handle }}
        className="group block overflow-hidden rounded-card border border-line bg-surface-1 transition-colors duration-150 hover:border-line-strong"
      >
        <div className="relative flex aspect-video items-center justify-center bg-radial from-surface-3 to-surface-1">
          <span
            aria-hidden
            className="text-7xl font-semibold tracking-tight text-ink-3/60 transition-colors duration-150 group-hover:text-ink-3"
          >
            {[...channel.name][0]?.toUpperCase()}
          </span>
          <LivePicture handle={channel.handle} />
          <span className="absolute top-3 left-3 flex gap-2">
            {!known ? (
              <Pill tone="neutral">Was live</Pill>
            ) : channel.state === 'live' ? (
              <Pill tone="live" dot>
                Live
              </Pill>
            ) : (
              <Pill tone="warn">Reconnecting</Pill>
            )}
          </span>
          <span className="absolute bottom-3 left-3 inline-flex items-center gap-1.5 rounded-md bg-surface-0/85 px-2 py-1 text-xs font-medium text-ink tabular-nums">
            <Eye aria-hidden size={14} />
            {COUNT.format(channel.viewers)}
            <span className="sr-only">watching</span>
          </span>
          {known && channel.started_at && (
            <span className="absolute right-3 bottom-3 rounded-md bg-surface-0/85 px-2 py-1 text-xs font-medium text-ink tabular-nums">
              {clock(now - Date.parse(channel.started_at))}
            </span>
          )}
        </div>
        <div className="border-t border-line px-4 py-3.5">
          <h2 className="truncate font-semibold">{channel.name}</h2>
          <p className="mt-0.5 truncate text-sm text-ink-3">
            @{channel.handle}
            {size && ` · ${size}`}
          </p>
        </div>
      </Link>
    </li>
  );
}

function Empty() {
  const account = useAccount();
  const setup = useQuery({ queryKey: ['setup'], queryFn: api.setupNeeded, enabled: account === null }).data;
  return (
    <div className="mx-auto flex max-w-xl flex-1 flex-col items-center justify-center py-12 text-center">
      <span className="flex size-16 items-center justify-center rounded-full border border-line bg-surface-1 text-ink-2">
        <RadioTower aria-hidden size={28} />
      </span>
      {setup?.needed ? (
        <>
          <h2 className="mt-6 text-xl font-semibold tracking-tight">This server is new</h2>
          <p className="mt-2 text-ink-2">
            Its first start printed a one-time link in the terminal. Open that link to make your account and
            your channel.
          </p>
          <Link to="/setup" className={`${buttonClass('primary')} mt-8`}>
            I have the set-up code
          </Link>
        </>
      ) : (
        <>
          <h2 className="mt-6 text-xl font-semibold tracking-tight">Nobody is live right now</h2>
          <p className="mt-2 text-ink-2">
            {account
              ? 'Go live from this browser, or point OBS at your channel. Your stream appears here the moment it starts.'
              : 'Streams appear here the moment they start. No need to reload.'}
          </p>
          {account && (
            <div className="mt-8 flex flex-wrap justify-center gap-3">
              <Link to="/studio" className={buttonClass('primary')}>
                Open the studio
              </Link>
              <Link to="/dashboard" className={buttonClass('secondary')}>
                Set up OBS
              </Link>
            </div>
          )}
        </>
      )}
    </div>
  );
}
