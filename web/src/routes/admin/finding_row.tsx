import { CircleCheck, CircleDashed, OctagonX, TriangleAlert } from 'lucide-react';
import type { Verdict } from '../../diagnostics/words';
import { Spinner } from '../../ui/spinner';
import { sentence } from '../../words';

/** One thing that was looked at, or will be: what it is, how it is to be taken, and what to change. */
export function FindingRow({
  name,
  state,
  words,
}: {
  name: string;
  state: Verdict | 'running' | 'waiting';
  words: string | null;
}) {
  const Icon = state === 'running' ? null : ICONS[state];
  return (
    <li className="flex gap-3 border-t border-line py-3 text-sm first:border-t-0">
      <span className={`mt-0.5 shrink-0 ${isFine(state) ? 'text-ink-3' : 'text-warn-text'}`}>
        {Icon ? <Icon aria-hidden size={18} /> : <Spinner size={18} />}
      </span>
      <div className="grid min-w-0 flex-1 gap-x-6 gap-y-1 sm:grid-cols-[11rem_minmax(0,1fr)_4rem]">
        <p className="flex justify-between gap-x-4 font-medium">
          <span>{name.charAt(0).toUpperCase() + name.slice(1)}</span>
          <span aria-hidden className={`sm:hidden ${tone(state)}`}>
            {WORDS[state]}
          </span>
        </p>
        <p className={`max-sm:sr-only sm:col-start-3 sm:row-start-1 sm:text-right ${tone(state)}`}>
          {WORDS[state]}
        </p>
        {words !== null && (
          <p className="break-words text-ink-2 tabular-nums sm:col-start-2 sm:row-start-1">
            <Detail words={words} />
          </p>
        )}
      </div>
    </li>
  );
}

/** With what stands in backticks as code: commands are there to be copied. */
function Detail({ words }: { words: string }) {
  const parts = spoken(words).split('`');
  return parts.map((part, at) =>
    at % 2 === 1 ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: the words are what they are
      <code key={at} className="font-mono text-ink">
        {part}
      </code>
    ) : (
      part
    ),
  );
}

/** As a sentence, but for a name of a setting or a file at its begin: that has no other spelling. */
function spoken(words: string): string {
  const said = sentence(words);
  return /^\S*[._/]\S/.test(words) ? words.charAt(0) + said.slice(1) : said;
}

function isFine(state: Verdict | 'running' | 'waiting'): boolean {
  return state !== 'careful' && state !== 'bad';
}

function tone(state: Verdict | 'running' | 'waiting'): string {
  return isFine(state) ? 'font-normal text-ink-3' : 'font-semibold text-warn-text';
}

/** Shapes of their own, so that nobody has to tell colours apart. */
const ICONS = { good: CircleCheck, careful: TriangleAlert, bad: OctagonX, waiting: CircleDashed } as const;

const WORDS = {
  good: 'Good',
  careful: 'Careful',
  bad: 'Bad',
  running: 'Checking',
  waiting: 'Waits',
} as const;
