/**
 * What was said, newest at the bottom. Only what is seen is in the page; it stays at the bottom while one
 * reads there, and does not move while one reads above. What can be done with a message is the caller's.
 */
import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, MessageSquare } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { Emote } from '../../chat/protocol';
import type { Row as RowData } from '../../chat/rows';
import { Row } from './row';
import { type RowActs, rowAct } from './row_keys';
import { SIZES } from './sizes';
import { usePreferences } from './use_chat';
import { NEAR_PX, useUnread } from './use_unread_rows';

interface ListProps {
  rows: readonly RowData[];
  /** Of the channel. */
  handle: string;
  emotes: readonly Emote[];
  /** One's own name, which stands out where it is said. */
  own: string | null;
  empty: string;
  timeWords: (row: RowData) => string;
  /** The first row is seen: there may be more before it. */
  onTop?: () => void;
  /** `null`: one points at none any more. */
  onPoint?: (row: RowData | null) => void;
  /** Is given the way to the newest. */
  end?: { current: () => void };
  onName?: (row: RowData) => void;
  onTryAgain?: (key: string) => void;
  onDiscard?: (key: string) => void;
  /** What keys do with a message, beside going on to the next. */
  keys?: (row: RowData, element: HTMLElement) => Partial<RowActs>;
  /** What a message offers to everybody, beneath its words. */
  under?: (row: RowData) => ReactNode;
  /** What is offered on the message that one points at; `hold` keeps it there while a menu is open. */
  tools?: (row: RowData, hold: (held: boolean) => void) => ReactNode;
}

const nothing = () => undefined;

export function List(props: ListProps) {
  const { rows, own, empty, onTop, onPoint, end, keys, under, tools } = props;
  const { times, size } = usePreferences();
  const scroller = useRef<HTMLElement>(null);
  const [active, setActive] = useState<string | null>(null);
  const [held, setHeld] = useState(false);
  const emotes = useMemo(
    () => new Map<string, Emote>(props.emotes.map((emote) => [emote.code, emote])),
    [props.emotes],
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 32,
    getItemKey: useCallback((at: number) => rows[at]?.key ?? at, [rows]),
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: NEAR_PX,
    overscan: 8,
    // What is offered on the first one needs room above it.
    paddingStart: 16,
    useFlushSync: false,
  });
  const { unread, look, toEnd } = useUnread(rows, virtual, scroller);
  useEffect(() => {
    // A frame later, when what one has just said has its row.
    if (end) end.current = () => requestAnimationFrame(toEnd);
  });
  const latest = useRef(rows);
  latest.current = rows;
  const jump = useCallback(
    (id: number) => {
      const at = latest.current.findIndex(({ message }) => message.id === id);
      if (at >= 0) virtual.scrollToIndex(at, { align: 'center' });
    },
    [virtual],
  );
  const scrolled = () => {
    look();
    if ((scroller.current?.scrollTop ?? 0) < TOP_PX) onTop?.();
  };
  const point = (row: RowData | null) => {
    if (held) return;
    setActive(row?.key ?? null);
    onPoint?.(row);
  };
  const focusRow = (index: number) => {
    const at = Math.min(Math.max(index, 0), rows.length - 1);
    virtual.scrollToIndex(at, { align: 'auto' });
    requestAnimationFrame(() =>
      scroller.current?.querySelector<HTMLElement>(`[data-index="${at}"]`)?.focus({ preventScroll: true }),
    );
  };
  const keyed = (event: KeyboardEvent<HTMLElement>, at: number) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return;
    const row = rows[at];
    const deed = rowAct(event.key, {
      up: () => focusRow(at - 1),
      down: () => focusRow(at + 1),
      first: () => focusRow(0),
      last: () => focusRow(rows.length - 1),
      ...(row ? keys?.(row, event.currentTarget) : {}),
    });
    if (!deed) return;
    // The page's own keys mean something else.
    event.preventDefault();
    deed();
  };
  return (
    <div className={`relative flex min-h-0 flex-1 flex-col ${SIZES[size]}`} aria-live="off">
      <section
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        tabIndex={0}
        aria-label="Messages"
        onScroll={scrolled}
        onPointerLeave={() => point(null)}
        onKeyDown={(event) => keyed(event, rows.length)}
        className="flex min-h-0 flex-1 flex-col overflow-y-auto overscroll-contain focus-visible:-outline-offset-2"
      >
        <div className="relative mt-auto w-full shrink-0" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ key, index, start }) => {
            const row = rows[index];
            if (!row) return null;
            const isActive = active === row.key && row.state === 'said' && tools !== undefined;
            return (
              // biome-ignore lint/a11y/noStaticElementInteractions: its buttons do the same
              <div
                key={key}
                ref={virtual.measureElement}
                data-index={index}
                data-message={row.message.id}
                tabIndex={-1}
                onPointerEnter={() => point(row)}
                onFocus={() => point(row)}
                onKeyDown={(event) => keyed(event, index)}
                className={`absolute top-0 left-0 w-full focus-visible:-outline-offset-2 ${isActive ? 'z-10 bg-surface-2/60' : ''}`}
                style={{ transform: `translateY(${start}px)` }}
              >
                <Row
                  row={row}
                  handle={props.handle}
                  emotes={emotes}
                  own={own}
                  times={times}
                  timeWords={props.timeWords}
                  onName={props.onName ?? nothing}
                  onQuote={jump}
                  onTryAgain={props.onTryAgain ?? nothing}
                  onDiscard={props.onDiscard ?? nothing}
                >
                  {under?.(row)}
                </Row>
                {isActive && tools?.(row, setHeld)}
              </div>
            );
          })}
        </div>
      </section>
      {rows.length === 0 && empty && (
        <p className="pointer-events-none absolute inset-0 flex flex-col items-center justify-center gap-2 p-6 text-center text-sm text-ink-3">
          <MessageSquare aria-hidden size={20} />
          {empty}
        </p>
      )}
      {unread > 0 && (
        <button
          type="button"
          onClick={toEnd}
          className="absolute inset-x-0 bottom-2 mx-auto flex min-h-11 w-fit items-center gap-2 rounded-full bg-ink px-4 text-sm font-semibold text-surface-0 shadow-panel"
        >
          <ArrowDown aria-hidden size={16} />
          {unread === 1 ? '1 new message' : `${unread} new messages`}
        </button>
      )}
    </div>
  );
}

const TOP_PX = 80;
