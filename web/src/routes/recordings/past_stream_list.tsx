import { Link } from '@tanstack/react-router';
import type { Recording } from '../../api/types';
import { Button } from '../../ui/button';
import { Pill } from '../../ui/pill';
import { GateBadge } from '../gates/gate_badge';
import type { usePastStreams } from './past_streams';
import { RecordingPicture } from './picture';
import { dayWords } from './words';

/** Nothing where there is nothing. */
export default function PastStreams({ past }: { past: ReturnType<typeof usePastStreams> }) {
  const { items, hasNextPage, fetchNextPage, isFetchingNextPage } = past;
  if (items.length === 0) return null;
  return (
    <section aria-labelledby="past-streams">
      <h2 id="past-streams" className="sr-only">
        Past streams
      </h2>
      <ul className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3 2xl:grid-cols-4">
        {items.map((recording) => (
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
            <GateBadge gate={recording.gate} />
          </p>
        </div>
      </Link>
    </li>
  );
}
