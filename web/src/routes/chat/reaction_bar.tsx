import { useSyncExternalStore } from 'react';
import type { ChatState } from '../../chat/state';
import { useActs } from './acts';

/** One tap, one emoji over everybody's picture. */
export function ReactionBar({ state }: { state: ChatState }) {
  const { chat } = useActs();
  const { lately } = useSyncExternalStore(chat.applause.store.subscribe, chat.applause.store.get);
  if (state.reactions.length === 0 || state.you?.restraint) return null;
  return (
    <div role="toolbar" aria-label="Reactions" className="mb-1.5 flex gap-0.5 overflow-x-auto">
      {state.reactions.map((emoji) => (
        <button
          key={emoji}
          type="button"
          aria-label={`React with ${emoji}`}
          onClick={() => chat.react(emoji)}
          className="flex h-11 min-w-11 shrink-0 items-center justify-center gap-1 rounded-control px-1.5 text-xl hover:bg-surface-2 active:scale-95"
        >
          {emoji}
          {(lately[emoji] ?? 0) > 0 && (
            <span aria-hidden className="text-xs text-ink-3 tabular-nums">
              {lately[emoji]}
            </span>
          )}
        </button>
      ))}
    </div>
  );
}
