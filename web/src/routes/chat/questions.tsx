/** Questions to the host: asked, voted up, answered, put on the screen. */
import { ChevronUp, MonitorUp, MonitorX } from 'lucide-react';
import { useState } from 'react';
import { chatApi } from '../../api/chat';
import type { Question, You } from '../../chat/protocol';
import type { ChatState } from '../../chat/state';
import { readable } from '../../chat/text';
import { rememberVote, voteOf } from '../../chat/votes';
import { Button } from '../../ui/button';
import { COUNT } from '../../ui/time';
import { useActs } from './acts';
import { Name } from './name';
import { NoteLine } from './note_line';

export function Questions({ state }: { state: ChatState }) {
  const { you } = state;
  const shown = state.questions.filter((question) => question.state !== 'dismissed');
  const open = shown.filter((question) => question.state === 'open').sort((a, b) => b.votes - a.votes);
  const answered = shown.filter((question) => question.state === 'answered');
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="min-h-0 flex-1 overflow-y-auto p-3">
        {shown.length === 0 && (
          <p className="p-4 text-center text-sm text-ink-3">
            No questions yet. The ones with the most votes stand first.
          </p>
        )}
        <ul aria-label="Open questions" className="flex flex-col gap-2 empty:hidden">
          {open.map((question) => (
            <Shown key={question.id} question={question} you={you} />
          ))}
        </ul>
        {answered.length > 0 && (
          <>
            <h3 className="mt-4 mb-2 text-xs font-semibold text-ink-3">Answered</h3>
            <ul aria-label="Answered questions" className="flex flex-col gap-2">
              {answered.map((question) => (
                <Shown key={question.id} question={question} you={you} />
              ))}
            </ul>
          </>
        )}
      </div>
      <div className="border-t border-line p-2.5 pb-[max(0.625rem,env(safe-area-inset-bottom))]">
        <NoteLine />
        {you && you.role !== 'reader' && !you.restraint ? (
          <AskForm />
        ) : (
          <p className="text-sm text-ink-2">Who may write in the chat may ask here.</p>
        )}
      </div>
    </div>
  );
}

function Shown({ question, you }: { question: Question; you: You | null }) {
  const { handle, act } = useActs();
  const [mine, setMine] = useState(() => voteOf(question.id) !== null);
  const { from, text, votes, state, on_screen: onScreen } = question;
  const isOpen = state === 'open';
  const toggle = async () => {
    setMine(!mine);
    const counted = await act(() => chatApi.upvote(handle, question.id, !mine), '');
    if (counted) rememberVote(question.id, mine ? null : 1);
    else setMine(mine);
  };
  const edit = (change: Parameters<typeof chatApi.editQuestion>[2]) =>
    void act(() => chatApi.editQuestion(handle, question.id, change), '');
  return (
    <li
      className={`flex gap-2 rounded-card border p-2.5 text-sm ${onScreen ? 'border-ink' : 'border-line'} bg-surface-2`}
    >
      <button
        type="button"
        aria-label={`Vote for this question, ${votes} so far`}
        aria-pressed={mine}
        disabled={!isOpen || !you || you.role === 'reader'}
        onClick={() => void toggle()}
        className={`flex min-h-11 w-11 shrink-0 flex-col items-center justify-center rounded-control border text-xs font-semibold tabular-nums ${
          mine ? 'border-ink bg-ink text-surface-0' : 'border-line-strong/60 text-ink-2'
        }`}
      >
        <ChevronUp aria-hidden size={14} />
        {COUNT.format(votes)}
      </button>
      <div className="min-w-0 flex-1">
        <p className="text-xs">
          <Name from={from} />
          {onScreen && <span className="ml-2 font-semibold text-ink">On screen</span>}
        </p>
        <bdi className="block break-words text-ink-2 [overflow-wrap:anywhere]">{readable(text)}</bdi>
        {you?.may_moderate && (
          <div className="mt-1.5 flex flex-wrap gap-1.5">
            <Button size="sm" onClick={() => edit({ on_screen: !onScreen })}>
              {onScreen ? <MonitorX aria-hidden size={14} /> : <MonitorUp aria-hidden size={14} />}
              {onScreen ? 'Off screen' : 'On screen'}
            </Button>
            {isOpen && (
              <Button size="sm" onClick={() => edit({ state: 'answered', on_screen: false })}>
                Answered
              </Button>
            )}
            {isOpen && (
              <Button size="sm" look="ghost" onClick={() => edit({ state: 'dismissed', on_screen: false })}>
                Dismiss
              </Button>
            )}
          </div>
        )}
      </div>
    </li>
  );
}

function AskForm() {
  const { chat, handle, act } = useActs();
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const ask = async () => {
    setBusy(true);
    const asked = await act(
      () => chatApi.askQuestion(handle, text.trim(), chat.seenMs()),
      'Your question is asked.',
    );
    setBusy(false);
    if (asked) setText((now) => (now === text ? '' : now));
  };
  return (
    <form
      className="flex gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() && !busy) void ask();
      }}
    >
      <input
        aria-label="Your question"
        placeholder="Ask the host"
        value={text}
        maxLength={500}
        onChange={({ target }) => setText(target.value)}
        className="min-h-11 min-w-0 flex-1 rounded-control border border-line-strong/60 bg-surface-0 px-3 text-base text-ink sm:text-sm"
      />
      <Button type="submit" disabled={text.trim() === ''} aria-disabled={busy}>
        Ask
      </Button>
    </form>
  );
}
