import { Link } from '@tanstack/react-router';
import { CalendarClock } from 'lucide-react';
import type { StreamCard as Stream } from '../../api/discovery';
import { Pill } from '../../ui/pill';
import { GateBadge } from '../gates/gate_badge';
import { CARD, CardPicture, OnPicture } from './shell';

const WHEN = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});

/** A stream that is planned, or one on air that a search found. */
export function StreamCard({ stream }: { stream: Stream }) {
  return (
    <li>
      <Link to="/@{$handle}" params={{ handle: stream.handle }} className={CARD}>
        <CardPicture initial={stream.name} image={stream.thumbnail_url ?? stream.avatar_url}>
          <span className="absolute top-3 left-3 flex gap-2">
            {stream.is_live ? (
              <Pill tone="live" dot>
                Live
              </Pill>
            ) : (
              <Pill tone="preview">Scheduled</Pill>
            )}
            <GateBadge gate={stream.gate} />
          </span>
          {!stream.is_live && (
            <OnPicture corner="left">
              <CalendarClock aria-hidden size={14} />
              <time dateTime={stream.at}>{WHEN.format(new Date(stream.at))}</time>
            </OnPicture>
          )}
        </CardPicture>
        <div className="border-t border-line px-4 py-3.5">
          <h3 className="truncate font-semibold">{stream.title || stream.name}</h3>
          <p className="mt-0.5 truncate text-sm text-ink-3">
            {stream.title ? stream.name : `@${stream.handle}`}
          </p>
        </div>
      </Link>
    </li>
  );
}
