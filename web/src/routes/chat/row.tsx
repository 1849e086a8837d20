/** One message: who, what, to whom; and what can be done with it while one points at it. */
import { CornerUpLeft, Megaphone, RotateCcw, X } from 'lucide-react';
import { memo, type ReactNode } from 'react';
import type { Emote, Message } from '../../chat/protocol';
import type { Row as RowData } from '../../chat/rows';
import { quoteText } from '../../chat/spoken';
import { mentions } from '../../chat/text';
import { SUPPORT_ICONS } from '../payments/support_icons';
import { Given } from './given';
import { Name } from './name';
import { Words } from './words';

export const Row = memo(function Row({
  row,
  handle,
  emotes,
  own,
  times,
  timeWords,
  onName,
  onQuote,
  onTryAgain,
  onDiscard,
  children,
}: {
  row: RowData;
  /** Of the channel. */
  handle: string;
  emotes: ReadonlyMap<string, Emote>;
  own: string | null;
  times: boolean;
  timeWords: (row: RowData) => string;
  onName: (row: RowData) => void;
  onQuote: (id: number) => void;
  onTryAgain: (key: string) => void;
  onDiscard: (key: string) => void;
  /** What is done with it. */
  children?: ReactNode;
}) {
  const { message, state, why } = row;
  const { from, text, reply_to, support } = message;
  const spoken = own !== null && (mentions(text, own) || reply_to?.name.toLowerCase() === own.toLowerCase());
  const Icon = support && SUPPORT_ICONS[support.what];
  return (
    <div
      className={`px-3 leading-relaxed ${lookOf(message, spoken)} ${state === 'sending' ? 'opacity-60' : ''}`}
    >
      {message.kind === 'announcement' && (
        <p className="mb-0.5 flex items-center gap-1.5 text-xs font-semibold text-ink-2">
          <Megaphone aria-hidden size={13} /> Announcement
        </p>
      )}
      {reply_to && (
        <button
          type="button"
          onClick={() => onQuote(reply_to.id)}
          className="flex max-w-full items-center gap-1 text-xs text-ink-3 hover:text-ink"
        >
          <CornerUpLeft aria-hidden size={12} className="shrink-0" />
          <span className="sr-only">In answer to </span>
          <bdi className="truncate">{quoteText(reply_to)}</bdi>
        </button>
      )}
      <p className="text-ink-2">
        {times && (
          <time dateTime={message.at} className="mr-1.5 text-[0.8em] text-ink-3 tabular-nums">
            {timeWords(row)}
          </time>
        )}
        {Icon && <Icon aria-hidden size={16} className="mr-1.5 inline-block align-[-0.15em] text-ink" />}
        <button type="button" tabIndex={-1} onClick={() => onName(row)} className="text-left hover:underline">
          <Name from={from} />
        </button>
        {support ? (
          <span className="font-medium text-ink">
            {' '}
            <Given support={support} handle={handle} />
          </span>
        ) : (
          <>
            <span aria-hidden className="mr-1.5">
              :
            </span>
            <Words text={text} emotes={emotes} own={own} />
          </>
        )}
      </p>
      {support && text !== '' && (
        <p className="text-ink">
          <Words text={text} emotes={emotes} own={own} />
        </p>
      )}
      {state === 'held' && (
        <p className="text-xs text-ink-3">Waits for a moderator. Only you see it until then.</p>
      )}
      {state === 'failed' && (
        <p className="flex flex-wrap items-center gap-x-3 text-xs text-warn-text">
          <span role="alert">Not sent. {why}</span>
          <button
            type="button"
            onClick={() => onTryAgain(row.key)}
            className="inline-flex min-h-9 items-center gap-1 font-semibold underline underline-offset-2"
          >
            <RotateCcw aria-hidden size={12} /> Try again
          </button>
          <button
            type="button"
            onClick={() => onDiscard(row.key)}
            className="inline-flex min-h-9 items-center gap-1 underline underline-offset-2"
          >
            <X aria-hidden size={12} /> Discard
          </button>
        </p>
      )}
      {children}
    </div>
  );
});

/** What stands out, and how: thanks by the colour of the house, announcements, what is said to oneself. */
function lookOf({ kind }: Message, spoken: boolean): string {
  if (kind === 'support')
    return 'mx-2 my-1 rounded-control border border-l-4 border-line border-l-accent bg-surface-2 py-2';
  if (kind === 'announcement')
    return 'mx-2 my-1 rounded-control border border-line-strong/60 bg-surface-2 py-2';
  return spoken ? 'border-l-2 border-ink bg-surface-2 py-1' : 'border-l-2 border-transparent py-1';
}
