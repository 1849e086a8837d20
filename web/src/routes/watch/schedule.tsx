import { CalendarDays } from 'lucide-react';
import type { Stream } from '../../api/streams';
import { buttonClass } from '../../ui/button';
import { Pill } from '../../ui/pill';
import { useNow } from '../../ui/time';
import PlannedGate from '../gates/planned_gate';
import { untilWords, whenWords, zoneWords } from '../streams/words';

/** What is ahead on a channel, and how a calendar follows it. */
export default function Schedule({ handle, items }: { handle: string; items: Stream[] }) {
  const now = useNow();
  return (
    <section aria-labelledby="schedule">
      <h2 id="schedule" className="sr-only">
        Schedule
      </h2>
      <ul className="grid gap-3 sm:grid-cols-2">
        {items.map((stream) => {
          const { id, title, state, scheduled_at } = stream;
          const at = scheduled_at ?? '';
          const cancelled = state === 'cancelled';
          return (
            <li key={id} className="rounded-card border border-line bg-surface-1 px-4 py-3">
              <p className="flex items-center justify-between gap-3 text-sm text-ink-3 tabular-nums">
                <time dateTime={at}>
                  {whenWords(at)} {zoneWords(at)}
                </time>
                {cancelled ? (
                  <Pill tone="neutral">Cancelled</Pill>
                ) : (
                  <Pill tone="preview">{Date.parse(at) > now ? `in ${untilWords(at, now)}` : 'Soon'}</Pill>
                )}
              </p>
              <p className={`mt-1 font-medium break-words ${cancelled ? 'text-ink-3 line-through' : ''}`}>
                {title || 'Untitled stream'}
              </p>
              {!cancelled && (
                <div className="mt-2 empty:hidden">
                  <PlannedGate handle={handle} stream={id} gate={stream.gate} title={title} />
                </div>
              )}
            </li>
          );
        })}
      </ul>
      <a
        href={`/api/channels/${encodeURIComponent(handle)}/schedule.ics`}
        className={`${buttonClass('ghost', 'sm')} mt-4 -ml-3`}
      >
        <CalendarDays aria-hidden size={16} />
        Follow in your calendar
      </a>
    </section>
  );
}
