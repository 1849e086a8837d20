/** The poll: bars that move, one vote each, the time that is left. */
import { BarChart3, Check, X } from 'lucide-react';
import { useState } from 'react';
import { chatApi } from '../../api/chat';
import type { Poll } from '../../chat/protocol';
import { type ChatState, pollNews } from '../../chat/state';
import { rememberVote, voteOf } from '../../chat/votes';
import { Button } from '../../ui/button';
import { COUNT, clock, useNow } from '../../ui/time';
import { useActs } from './acts';

/** Tells who does not see it that a poll began, and that it ended; stands there before there is one. */
export function PollNews({ poll }: { poll: Poll | null }) {
  return (
    <p role="status" className="sr-only">
      {pollNews(poll)}
    </p>
  );
}

export function PollCard({ state, readOnly = false }: { state: ChatState; readOnly?: boolean }) {
  const { poll } = state;
  return poll && <Shown key={poll.id} poll={poll} state={state} readOnly={readOnly} />;
}

function Shown({ poll, state, readOnly }: { poll: Poll; state: ChatState; readOnly: boolean }) {
  const { chat, handle, act } = useActs();
  const [voted, setVoted] = useState(() => voteOf(poll.id));
  const [closed, setClosed] = useState(false);
  useNow(poll.state === 'open');
  const leftMs = chat.leftMs(poll);
  const isOpen = poll.state === 'open' && leftMs > 0;
  const total = poll.options.reduce((sum, { votes }) => sum + votes, 0);
  const mayVote = isOpen && voted === null && !readOnly && state.you !== null && !state.you.restraint;
  const moderates = state.you?.may_moderate === true && !readOnly;
  const vote = async (option: number) => {
    setVoted(option);
    const counted = await act(() => chatApi.vote(handle, poll.id, option, chat.seenMs()), '');
    if (counted) rememberVote(poll.id, option);
    else setVoted(null);
  };
  if (closed) return null;
  return (
    <section aria-label="Poll" className="rounded-card border border-line bg-surface-2 px-3 pt-2.5 text-sm">
      <div className="flex items-start gap-2">
        <BarChart3 aria-hidden size={16} className="mt-0.5 shrink-0 text-ink-2" />
        <h3 className="min-w-0 flex-1 font-semibold break-words">
          <bdi>{poll.question}</bdi>
        </h3>
        <span className="shrink-0 text-xs text-ink-3 tabular-nums">
          {isOpen ? clock(leftMs + 999) : 'Ended'}
        </span>
        {poll.state === 'ended' && !moderates && !readOnly && (
          <button
            type="button"
            aria-label="Hide the poll"
            title="Hide"
            onClick={() => setClosed(true)}
            className="-m-1.5 flex size-9 shrink-0 items-center justify-center rounded-md text-ink-2 hover:bg-surface-3 hover:text-ink pointer-coarse:size-11"
          >
            <X aria-hidden size={15} />
          </button>
        )}
      </div>
      <ul className="mt-2 flex flex-col gap-1.5">
        {poll.options.map(({ text, votes }, at) => {
          const share = total > 0 ? votes / total : 0;
          const bar = (
            <>
              <span
                aria-hidden
                className="absolute inset-y-0 left-0 bg-surface-3 transition-[width] duration-150"
                style={{ width: `${share * 100}%` }}
              />
              <span className="relative flex min-w-0 flex-1 items-center gap-1.5">
                {voted === at && <Check aria-label="Your vote" size={14} className="shrink-0" />}
                <bdi className="min-w-0 break-words">{text}</bdi>
              </span>
              <span className="relative shrink-0 text-xs text-ink-2 tabular-nums">
                {Math.round(share * 100)} % · {COUNT.format(votes)}
              </span>
            </>
          );
          // What is only read needs no room for a finger.
          const look = `relative flex w-full items-center gap-2 overflow-hidden rounded-control border border-line-strong/60 px-3 text-left ${mayVote ? 'min-h-9 py-1 pointer-coarse:min-h-11' : 'min-h-8 py-0.5'}`;
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: an option is named by its place
            <li key={at}>
              {mayVote ? (
                <button type="button" onClick={() => void vote(at)} className={`${look} hover:border-ink`}>
                  {bar}
                </button>
              ) : (
                <div className={look}>{bar}</div>
              )}
            </li>
          );
        })}
      </ul>
      {/* Where there is little room the answers scroll behind it. */}
      <div className="sticky -bottom-2 -mx-3 flex min-h-9 flex-wrap items-center gap-x-2 rounded-b-card bg-surface-2 px-3 py-1">
        <p className="min-w-0 flex-1 text-xs text-ink-3">
          {total === 1 ? '1 vote' : `${COUNT.format(total)} votes`}
          {voted !== null && isOpen && ' · Your vote is in and cannot be changed'}
        </p>
        {moderates && (
          <div className="-mr-2 flex">
            {poll.state === 'open' && (
              <Button size="sm" onClick={() => void act(() => chatApi.endPoll(handle, poll.id), '')}>
                End now
              </Button>
            )}
            <Button size="sm" look="ghost" onClick={() => void act(() => chatApi.putAwayPoll(handle), '')}>
              Put away
            </Button>
          </div>
        )}
      </div>
    </section>
  );
}
