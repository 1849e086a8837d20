/** Chat to be laid over a scene: large, without anything to press, on nothing. */
import { type CSSProperties, useMemo, useRef } from 'react';
import type { Emote } from '../../chat/protocol';
import type { Row } from '../../chat/rows';
import { isOverScene } from '../../chat/state';
import { useNow } from '../../ui/time';
import { useNothingBehind } from '../nothing_behind';
import { useTitle } from '../title';
import { ChatActs } from './acts';
import { AfterName } from './given';
import { Name } from './name';
import { OnScreenQuestion } from './on_screen';
import { PollCard } from './poll_card';
import { useChat, useChatState } from './use_chat';

export function Overlay({ handle, fadeS }: { handle: string; fadeS: number | null }) {
  const chat = useChat(handle);
  const state = useChatState(chat);
  const rows = useFresh(state.rows, fadeS);
  const emotes = useMemo(
    () => new Map<string, Emote>(state.emotes.map((emote) => [emote.code, emote])),
    [state.emotes],
  );
  useNow(state.poll?.state === 'ended');
  useTitle(`Chat of ${handle}`);
  useNothingBehind();
  return (
    <ChatActs chat={chat}>
      <main id="main" className="on-video flex h-dvh flex-col gap-4 overflow-hidden p-6 text-ink">
        <h1 className="sr-only">Chat of {handle}</h1>
        <OnScreenQuestion state={state} look="max-w-xl text-2xl" />
        <div className="max-w-xl text-xl empty:hidden">
          {state.poll && isOverScene(state.poll, chat.leftMs(state.poll)) && (
            <PollCard state={state} readOnly />
          )}
        </div>
        <div
          role="log"
          aria-label="Chat messages"
          className="flex min-h-0 flex-1 flex-col justify-end gap-2 overflow-hidden text-2xl leading-snug font-medium"
          style={SHADOW}
        >
          {rows.map(({ row, fades }) => (
            <p
              key={row.key}
              className={`transition-opacity duration-1000 ${fades ? 'opacity-0' : ''}`}
              data-message={row.message.id}
            >
              <Name from={row.message.from} />
              <AfterName message={row.message} handle={handle} emotes={emotes} own={null} />
            </p>
          ))}
        </div>
      </main>
    </ChatActs>
  );
}

/** Readable on whatever is behind. */
const SHADOW: CSSProperties = { textShadow: '0 0 6px #000, 0 1px 2px #000' };
const MOST = 30;
const FADING_MS = 1500;

/** The last messages, of which the older ones fade. */
function useFresh(all: readonly Row[], fadeS: number | null): { row: Row; fades: boolean }[] {
  const now = useNow(fadeS !== null);
  const born = useRef(new Map<string, number>());
  const isFirst = born.current.size === 0;
  const rows = all.slice(-MOST);
  const known = new Map<string, number>();
  for (const { key, message } of rows) {
    // What was said before one came is as old as it is.
    known.set(key, born.current.get(key) ?? (isFirst ? Date.parse(message.at) : Date.now()));
  }
  born.current = known;
  if (fadeS === null) return rows.map((row) => ({ row, fades: false }));
  return rows
    .map((row) => ({ row, age: now - (known.get(row.key) ?? now) }))
    .filter(({ age }) => age < fadeS * 1000 + FADING_MS)
    .map(({ row, age }) => ({ row, fades: age > fadeS * 1000 }));
}
