import { CircleCheck, CircleDashed, OctagonX, TriangleAlert } from 'lucide-react';
import type { IngestCheck } from '../api/types';
import { Announce } from '../ui/announce';
import { sentence } from '../words';

/** What the server says of the media that it receives: a line each, with what to change. */
export function CheckList({ checks, label }: { checks: IngestCheck[]; label: string }) {
  const troubles = checks.filter(({ advice }) => advice);
  return (
    <>
      <Announce
        topic={troubles.map(({ name }) => name).join()}
        words={troubles.map(({ name, advice }) => `${NAMES[name]}: ${sentence(advice ?? '')}`).join(' ')}
      />
      <ul aria-label={label} className="mt-4 text-sm tabular-nums">
        {checks.map((check) => (
          <Row key={check.name} check={check} />
        ))}
      </ul>
    </>
  );
}

function Row({ check: { name, state, value, advice } }: { check: IngestCheck }) {
  const [Icon, tone, word] = MARKS[state];
  return (
    <li className="flex gap-2.5 border-t border-line py-2.5">
      <Icon aria-hidden size={16} className={`mt-0.5 shrink-0 ${tone}`} />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap justify-between gap-x-4">
          <span className="text-ink-2">
            {NAMES[name]}
            <span className="sr-only">, {word}: </span>
          </span>
          <span className={`ml-auto text-right ${state === 'unknown' ? 'text-ink-3' : 'font-medium'}`}>
            {value}
          </span>
        </p>
        {advice && <p className="mt-1 text-ink">{sentence(advice)}</p>}
      </div>
    </li>
  );
}

/** Shapes of their own, so that nobody has to tell colours apart. */
const MARKS = {
  ok: [CircleCheck, 'text-ink-3', 'good'],
  warn: [TriangleAlert, 'text-warn-text', 'could be better'],
  bad: [OctagonX, 'text-warn-text', 'must be changed'],
  unknown: [CircleDashed, 'text-ink-3', 'not known yet'],
} as const;

const NAMES: Record<IngestCheck['name'], string> = {
  video: 'Video',
  size: 'Size',
  frame_rate: 'Frame rate',
  bitrate: 'Bitrate',
  key_frames: 'Key frames',
  b_frames: 'B-frames',
  audio: 'Sound',
  delivery: 'On the way',
};
