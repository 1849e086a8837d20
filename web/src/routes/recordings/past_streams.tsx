import { Link } from '@tanstack/react-router';
import type { Recording } from '../../api/types';
import { Button } from '../../ui/button';
import { Pill } from '../../ui/pill';
import { RecordingPicture } from './picture';
import { useRecordings } from './use_recordings';
import { dayWords } from './words';

/** A stream that has just ended is playable within seconds. */
const EVERY_MS = 5000;

/** What can be seen of a channel while it is off air; nothing where there is nothing. */
export function PastStreams({ handle }: { handle: string }) {
  const { items, hasNextPage, fetchNextPage, isFetchingNextPage } = useRecordings(handle, () => EVERY_MS);
  const playable = items.filter(({ state }) => state === 'ready');
  if (playable.length === 0) return null;
  return (
    <section aria-labelledby="past-streams" className="mx-auto w-full max-w-[1680px] px-4 pt-2 pb-10 sm:px-6">
      <h2 id="past-streams" className="mb-4 text-base font-semibold">
        Past streams
      </h2>
      <ul className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3 xl:grid-cols-4 xl:gap-5">
        {playable.map((recording) => (
          <Card key={recording.id} recording={recording} />
        ))}
      </ul>
      {hasNextPage && (
        <Button className="mt-5" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Show more
        </Button>
      )}
    </section>
  );
}

function Card({ recording }: { recording: Recording }) {
  const { id, title, started_at, visibility } = recording;
  return (
    <li>
      <Link
        to="/videos/$id"
        params={{ id }}
        className="block overflow-hidden rounded-card border border-line bg-surface-1 transition-colors duration-150 hover:border-line-strong"
      >
        <RecordingPicture recording={recording} />
        <div className="border-t border-line px-4 py-3">
          <h3 className="truncate text-sm font-semibold">{title}</h3>
          <p className="mt-0.5 flex items-center gap-2 text-sm text-ink-3">
            <time dateTime={started_at}>{dayWords(started_at)}</time>
            {visibility !== 'public' && <Pill tone="neutral">{visibility}</Pill>}
          </p>
        </div>
      </Link>
    </li>
  );
}
