import { Link } from '@tanstack/react-router';
import type { RecordingCard as Recorded } from '../../api/discovery';
import { ago, clock, useNow } from '../../ui/time';
import { GateBadge } from '../gates/gate_badge';
import { CARD, CardPicture, OnPicture } from './shell';

/** A stream that can be watched again. */
export function RecordingCard({ recording }: { recording: Recorded }) {
  const now = useNow();
  return (
    <li>
      <Link to="/videos/$id" params={{ id: recording.id }} className={CARD}>
        <CardPicture initial={recording.name} image={recording.thumbnail_url}>
          <span className="absolute top-3 left-3 flex">
            <GateBadge gate={recording.gate} />
          </span>
          <OnPicture corner="right">
            <span className="sr-only">Length</span>
            {clock(recording.duration_ms)}
          </OnPicture>
        </CardPicture>
        <div className="border-t border-line px-4 py-3.5">
          <h3 className="truncate font-semibold">{recording.title}</h3>
          <p className="mt-0.5 truncate text-sm text-ink-3">
            {recording.name} · <time dateTime={recording.started_at}>{ago(recording.started_at, now)}</time>
          </p>
        </div>
      </Link>
    </li>
  );
}
