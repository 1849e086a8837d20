/** Search: channels, streams, recordings. */
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { SearchX } from 'lucide-react';
import { useEffect, useState } from 'react';
import { discovery, type SearchKind, type SearchResults } from '../../api/discovery';
import { Button } from '../../ui/button';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { ChannelCard } from '../cards/channel_card';
import { RecordingCard } from '../cards/recording_card';
import { GRID, Section } from '../cards/shell';
import { StreamCard } from '../cards/stream_card';
import { Frame } from '../frame';
import { useTitle } from '../title';

/** Typing goes on this long before it is searched. */
const PAUSE_MS = 250;

export function SearchPage() {
  const { q = '', kind } = useSearch({ from: '/search' });
  const navigate = useNavigate();
  const [text, setText] = useState(q);
  useTitle(q ? `Search: ${q}` : 'Search');
  useEffect(() => setText(q), [q]);
  useEffect(() => {
    if (text.trim() === q) return;
    const wait = setTimeout(() => {
      const wanted = text.trim();
      void navigate({ to: '/search', search: wanted ? { q: wanted } : {}, replace: true });
    }, PAUSE_MS);
    return () => clearTimeout(wait);
  }, [text, q, navigate]);
  return (
    <Frame>
      <div className="mx-auto flex w-full max-w-[1680px] flex-1 flex-col p-4 sm:p-6">
        <h1 className="sr-only">Search</h1>
        <search className="mb-6 block w-full max-w-xl">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              void navigate({ to: '/search', search: text.trim() ? { q: text.trim() } : {} });
            }}
          >
            <TextField
              label="Search channels, streams and recordings"
              type="search"
              value={text}
              autoFocus
              maxLength={100}
              onChange={(event) => setText(event.target.value)}
            />
          </form>
        </search>
        {q && (kind ? <OfKind q={q} kind={kind} /> : <OfAll q={q} />)}
      </div>
    </Frame>
  );
}

function OfAll({ q }: { q: string }) {
  const found = useQuery({
    queryKey: ['search', q],
    queryFn: () => discovery.search(q),
    placeholderData: keepPreviousData,
  });
  const results = found.data;
  if (found.error) return <Refused error={found.error} />;
  if (!results) return null;
  if (results.channels.length + results.streams.length + results.recordings.length === 0)
    return <Nothing q={q} />;
  return (
    <div aria-busy={found.isPlaceholderData}>
      <Found q={q} results={results} isWhole={false} />
    </div>
  );
}

function OfKind({ q, kind }: { q: string; kind: SearchKind }) {
  const pages = useInfiniteQuery({
    queryKey: ['search', q, kind],
    queryFn: ({ pageParam }) => discovery.searchOf(q, kind, pageParam),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
  if (pages.error) return <Refused error={pages.error} />;
  const all = pages.data?.pages ?? [];
  const results = {
    channels: all.flatMap((page) => page.channels),
    streams: all.flatMap((page) => page.streams),
    recordings: all.flatMap((page) => page.recordings),
  };
  return (
    <>
      <Found q={q} results={results} isWhole />
      {pages.hasNextPage && (
        <Button disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          Show more
        </Button>
      )}
    </>
  );
}

function Found({
  q,
  results,
  isWhole,
}: {
  q: string;
  results: Omit<SearchResults, 'next_cursor'>;
  isWhole: boolean;
}) {
  /** As many as the server gives of each kind: there may be more. */
  const FEW = 12;
  const more = (kind: SearchKind, count: number) =>
    !isWhole && count >= FEW ? (
      <Link to="/search" search={{ q, kind }} className="text-sm font-medium text-ink-2 hover:text-ink">
        Show all
      </Link>
    ) : null;
  return (
    <>
      {results.channels.length > 0 && (
        <Section id="channels" title="Channels" more={more('channels', results.channels.length)}>
          <ul className={GRID}>
            {results.channels.map((channel) => (
              <ChannelCard key={channel.handle} channel={channel} />
            ))}
          </ul>
        </Section>
      )}
      {results.streams.length > 0 && (
        <Section id="streams" title="Live and planned" more={more('streams', results.streams.length)}>
          <ul className={GRID}>
            {results.streams.map((stream) => (
              <StreamCard key={stream.id} stream={stream} />
            ))}
          </ul>
        </Section>
      )}
      {results.recordings.length > 0 && (
        <Section id="recordings" title="Recordings" more={more('recordings', results.recordings.length)}>
          <ul className={GRID}>
            {results.recordings.map((recording) => (
              <RecordingCard key={recording.id} recording={recording} />
            ))}
          </ul>
        </Section>
      )}
    </>
  );
}

function Refused({ error }: { error: Error }) {
  return (
    <div className="max-w-xl">
      <Notice title="That could not be searched for">{error.message}</Notice>
    </div>
  );
}

function Nothing({ q }: { q: string }) {
  return (
    <div className="m-auto flex max-w-md flex-col items-center py-12 text-center" role="status">
      <SearchX aria-hidden size={32} className="text-ink-3" />
      <h2 className="mt-4 text-lg font-semibold">Nothing found for “{q}”</h2>
      <p className="mt-2 text-ink-2">
        Try fewer or shorter words: each is looked for at the beginning of a word in names, titles and tags.
      </p>
    </div>
  );
}
