import { CalendarDays } from 'lucide-react';
import { buttonClass } from '../../ui/button';
import { Pill } from '../../ui/pill';
import { useNow } from '../../ui/time';
import { useSchedule } from '../streams/use_streams';
import { untilWords, whenWords, zoneWords } from '../streams/words';

/** What is ahead on a channel. Nothing where nothing is. */
export function Schedule({ handle }: { handle: string }) {
  const items = useSchedule(handle).data?.items ?? [];
  const now = useNow(items.length > 0);
  if (items.length === 0) return null;
  return (
    <section
      aria-labelledby="schedule"
      className="mx-auto w-full max-w-[calc((100dvh-11.5rem)*16/9)] min-w-0 px-4 pt-2 pb-8 sm:min-w-[min(100%,36rem)] sm:px-6"
    >
      <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
        <h2 id="schedule" className="text-base font-semibold">
          Schedule
        </h2>
        <a
          href={`/api/channels/${encodeURIComponent(handle)}/schedule.ics`}
          className={buttonClass('ghost', 'sm')}
        >
          <CalendarDays aria-hidden size={16} />
          Follow in your calendar
        </a>
      </div>
      <ul className="grid gap-3 sm:grid-cols-2">
        {items.map(({ id, title, state, scheduled_at }) => {
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
            </li>
          );
        })}
      </ul>
    </section>
  );
}
