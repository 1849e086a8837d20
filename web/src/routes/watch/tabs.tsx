/** What else there is of a channel, below the picture: its recordings, its plans, and what it says of itself. */
import { Tabs } from '@base-ui/react/tabs';
import { type CSSProperties, lazy, type ReactNode, Suspense, useState } from 'react';
import type { ChannelPage } from '../../api/channels';
import { usePastStreams } from '../recordings/past_streams';
import { useSchedule } from '../streams/use_streams';
import { AboutTab } from './about_tab';

/** What lies below the picture comes after it. */
const PastStreams = lazy(() => import('../recordings/past_stream_list'));
const Schedule = lazy(() => import('./schedule'));

export function ChannelTabs({ channel, offAir }: { channel: ChannelPage; offAir: boolean }) {
  const [chosen, setChosen] = useState<string | null>(null);
  // While something is on air nothing else is asked for, unless somebody wants to see it.
  const past = usePastStreams(channel.handle, offAir || chosen === 'recordings');
  const accent = channel.accent ? ({ '--accent': channel.accent } as CSSProperties) : {};
  const hasPast = past.items.length > 0;
  const planned = useSchedule(channel.handle).data?.items ?? [];
  const isPlanned = planned.length > 0;
  const first = hasPast ? 'recordings' : isPlanned ? 'schedule' : 'about';
  // What was planned may be over while it is looked at.
  const open = chosen === 'schedule' && !isPlanned ? null : chosen;
  return (
    <Tabs.Root
      value={open ?? first}
      onValueChange={(value) => setChosen(String(value))}
      style={accent}
      className="mx-auto w-full max-w-[calc((100dvh-11.5rem)*16/9)] min-w-0 px-4 pb-10 sm:min-w-[min(100%,36rem)] sm:px-6"
    >
      {channel.banner_url && (
        <img
          src={channel.banner_url}
          alt=""
          loading="lazy"
          className="mb-4 aspect-4/1 w-full rounded-card object-cover"
        />
      )}
      <Tabs.List className="mb-5 flex gap-1 overflow-x-auto border-b border-line">
        <Tab value="recordings">Recordings</Tab>
        {isPlanned && <Tab value="schedule">Schedule</Tab>}
        <Tab value="about">About</Tab>
      </Tabs.List>
      <Tabs.Panel value="recordings">
        <Suspense fallback={null}>
          <PastStreams past={past} />
        </Suspense>
        {!hasPast && !past.isFetching && (
          <p className="text-sm text-ink-3">
            No recordings to watch. When {channel.name} records a stream, it appears here.
          </p>
        )}
      </Tabs.Panel>
      {isPlanned && (
        <Tabs.Panel value="schedule">
          <Suspense fallback={null}>
            <Schedule handle={channel.handle} items={planned} />
          </Suspense>
        </Tabs.Panel>
      )}
      <Tabs.Panel value="about">
        <AboutTab channel={channel} />
      </Tabs.Panel>
    </Tabs.Root>
  );
}

function Tab({ value, children }: { value: string; children: ReactNode }) {
  return (
    <Tabs.Tab
      value={value}
      className="-mb-px inline-flex min-h-11 shrink-0 items-center border-b-2 border-transparent px-3 text-sm font-medium text-ink-2 hover:text-ink data-active:border-accent data-active:text-ink"
    >
      {children}
    </Tabs.Tab>
  );
}
