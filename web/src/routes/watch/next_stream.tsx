import { CalendarPlus } from 'lucide-react';
import type { Planned } from '../../player/channel';
import { buttonClass } from '../../ui/button';
import { untilWords, whenWords, zoneWords } from '../streams/words';

/** Puts a planned stream into the calendar of whoever waits for it. */
export function AddToCalendar({ planned }: { planned: Planned }) {
  return (
    <a href={`/api/streams/${planned.id}.ics`} download="stream.ics" className={buttonClass('secondary')}>
      <CalendarPlus aria-hidden size={18} />
      Add to calendar
    </a>
  );
}

/** "Fri, May 1, 20:00 (GMT+2)", on the clocks of whoever reads. */
export function startWords(planned: Planned): string {
  return `${whenWords(planned.at)} (${zoneWords(planned.at)})`;
}

/** "Starts in 9:59", and what there is to say once that has passed. */
export function countdownWords(planned: Planned, now: number): string {
  return Date.parse(planned.at) > now
    ? `Starts in ${untilWords(planned.at, now)}`
    : 'It starts any moment. This page goes on by itself.';
}
