/** What is on air, planned and recorded; whom you follow comes first. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { discovery, type Home, type LiveCard as Live } from '../../api/discovery';
import { LiveCard } from '../cards/live_card';
import { RecordingCard } from '../cards/recording_card';
import { GRID, Section } from '../cards/shell';
import { StreamCard } from '../cards/stream_card';
import { Frame } from '../frame';
import { NoAnswer, Opening } from '../no_answer';
import { useSilence } from '../silence';
import { useTitle } from '../title';
import { Empty, NobodyLive } from './empty';

/** Of a page that is asked for every five seconds. */
const SILENCE_MS = 12_000;

export function HomePage() {
  useTitle(null);
  const home = useQuery({ queryKey: ['home'], queryFn: discovery.home, refetchInterval: 5000 });
  const silentMs = useSilence(home.dataUpdatedAt, SILENCE_MS);
  return (
    <Frame>
      <div className="mx-auto flex w-full max-w-[1680px] flex-1 flex-col p-4 sm:p-6">
        <h1 className="sr-only">What there is to watch</h1>
        {!home.data && (
          <Opening what="the list" error={home.failureReason} onRetry={() => void home.refetch()} />
        )}
        {silentMs !== null && (
          <div className="mb-5 max-w-md">
            <NoAnswer silentMs={silentMs} onRetry={() => void home.refetch()} />
          </div>
        )}
        {home.data && <Sections home={home.data} known={silentMs === null} />}
      </div>
    </Frame>
  );
}

function Sections({ home, known }: { home: Home; known: boolean }) {
  const { live, upcoming, recordings, categories } = home;
  const followed = live.filter((card) => card.is_followed);
  const others = live.filter((card) => !card.is_followed);
  if (live.length + upcoming.length + recordings.length === 0) return <Empty />;
  return (
    <>
      {followed.length > 0 && <LiveSection id="followed" title="You follow" cards={followed} known={known} />}
      {others.length > 0 ? (
        <LiveSection id="live" title="Live now" cards={others} known={known} />
      ) : (
        followed.length === 0 && <NobodyLive next={upcoming[0] ?? null} />
      )}
      {categories.length > 0 && (
        <Section id="categories" title="Categories">
          <ul className="flex flex-wrap gap-2">
            {categories.map(({ slug, name, live: count }) => (
              <li key={slug}>
                <Link
                  to="/browse"
                  search={{ category: slug }}
                  className="inline-flex min-h-11 items-center gap-2 rounded-full border border-line bg-surface-1 px-4 text-sm font-medium hover:border-line-strong"
                >
                  {name}
                  <span className="text-ink-3 tabular-nums">
                    {count}
                    <span className="sr-only"> live</span>
                  </span>
                </Link>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {upcoming.length > 0 && (
        <Section id="upcoming" title="Coming up">
          <ul className={GRID}>
            {upcoming.map((stream) => (
              <StreamCard key={stream.id} stream={stream} />
            ))}
          </ul>
        </Section>
      )}
      {recordings.length > 0 && (
        <Section id="recordings" title="Recent recordings">
          <ul className={GRID}>
            {recordings.map((recording) => (
              <RecordingCard key={recording.id} recording={recording} />
            ))}
          </ul>
        </Section>
      )}
    </>
  );
}

function LiveSection({
  id,
  title,
  cards,
  known,
}: {
  id: string;
  title: string;
  cards: Live[];
  known: boolean;
}) {
  return (
    <Section id={id} title={title} count={cards.length}>
      <ul className={GRID}>
        {cards.map((live) => (
          <LiveCard key={live.handle} live={live} known={known} />
        ))}
      </ul>
    </Section>
  );
}
