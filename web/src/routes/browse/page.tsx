/** Everything of a category, a tag or a language. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import { SearchX } from 'lucide-react';
import { discovery, type Narrowed } from '../../api/discovery';
import { Button, buttonClass } from '../../ui/button';
import { ChannelCard } from '../cards/channel_card';
import { LiveCard } from '../cards/live_card';
import { RecordingCard } from '../cards/recording_card';
import { GRID, Section } from '../cards/shell';
import { StreamCard } from '../cards/stream_card';
import { Frame } from '../frame';
import { languageName } from '../languages';
import { Opening } from '../no_answer';
import { useTitle } from '../title';

export function BrowsePage() {
  const narrowed = useSearch({ from: '/browse' });
  const name = useName(narrowed);
  useTitle(name);
  const pages = useInfiniteQuery({
    queryKey: ['browse', narrowed],
    queryFn: ({ pageParam }) => discovery.browse(narrowed, pageParam),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: 30_000,
  });
  const first = pages.data?.pages[0];
  const recordings = pages.data?.pages.flatMap((page) => page.recordings) ?? [];
  const isEmpty =
    first && first.live.length + first.upcoming.length + first.channels.length + recordings.length === 0;
  return (
    <Frame>
      <div className="mx-auto flex w-full max-w-[1680px] flex-1 flex-col p-4 sm:p-6">
        <h1 className="mb-6 text-2xl font-semibold tracking-tight">{name}</h1>
        {!first && (
          <Opening what="the list" error={pages.failureReason} onRetry={() => void pages.refetch()} />
        )}
        {isEmpty && <Nothing />}
        {first && first.live.length > 0 && (
          <Section id="live" title="Live now" count={first.live.length}>
            <ul className={GRID}>
              {first.live.map((live) => (
                <LiveCard key={live.handle} live={live} known />
              ))}
            </ul>
          </Section>
        )}
        {first && first.upcoming.length > 0 && (
          <Section id="upcoming" title="Coming up">
            <ul className={GRID}>
              {first.upcoming.map((stream) => (
                <StreamCard key={stream.id} stream={stream} />
              ))}
            </ul>
          </Section>
        )}
        {first && first.channels.length > 0 && (
          <Section id="channels" title="Channels">
            <ul className={GRID}>
              {first.channels.map((channel) => (
                <ChannelCard key={channel.handle} channel={channel} />
              ))}
            </ul>
          </Section>
        )}
        {recordings.length > 0 && (
          <Section id="recordings" title="Recordings">
            <ul className={GRID}>
              {recordings.map((recording) => (
                <RecordingCard key={recording.id} recording={recording} />
              ))}
            </ul>
            {pages.hasNextPage && (
              <Button
                className="mt-5"
                disabled={pages.isFetchingNextPage}
                onClick={() => void pages.fetchNextPage()}
              >
                Show more
              </Button>
            )}
          </Section>
        )}
      </div>
    </Frame>
  );
}

function useName({ category, tag, language }: Narrowed): string {
  const known = useQuery({
    queryKey: ['categories'],
    queryFn: discovery.categories,
    staleTime: Number.POSITIVE_INFINITY,
    enabled: category !== undefined,
  });
  const found = known.data?.items.find(({ slug }) => slug === category)?.name ?? category;
  const spoken = language && languageName(language);
  return [found, tag && `#${tag}`, spoken].filter(Boolean).join(' · ') || 'Browse';
}

function Nothing() {
  return (
    <div className="m-auto flex max-w-md flex-col items-center py-12 text-center">
      <SearchX aria-hidden size={32} className="text-ink-3" />
      <p className="mt-4 text-ink-2">There is nothing here yet. The home page shows everything that is on.</p>
      <Link to="/" className={`${buttonClass('secondary')} mt-6`}>
        To the home page
      </Link>
    </div>
  );
}
