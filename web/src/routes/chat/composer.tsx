/** Where one writes: completion, history, what is answered, and the slash commands. */
import { SendHorizontal, X } from 'lucide-react';
import { type KeyboardEvent, lazy, Suspense, useCallback, useEffect, useId, useRef, useState } from 'react';
import { type Command, parseCommand } from '../../chat/commands';
import { accept, type Completion, complete } from '../../chat/completion';
import { byTier } from '../../chat/emotes';
import { SaidBefore } from '../../chat/history';
import { quoteText } from '../../chat/spoken';
import { type ChatState, namesKnown } from '../../chat/state';
import { useOwnTier } from '../payments/use_payments';
import { useActs } from './acts';
import { useCommands } from './run_command';
import { Suggestions } from './suggestions';

/** For whoever opens it. */
const Picker = lazy(() => import('./picker'));

interface ComposerProps {
  state: ChatState;
  /** One may not write. The field keeps the focus all the same: keys that fell to the page would be the player's. */
  muted: boolean;
  /** One may write, and not send it yet. */
  waits: boolean;
}

export function Composer({ state, muted, waits }: ComposerProps) {
  const { chat, handle, replyTo, reply, tell, dismiss, insert, selected, toEnd, wantTier } = useActs();
  const run = useCommands();
  const list = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState('');
  const [found, setFound] = useState<Completion | null>(null);
  const [chosen, setChosen] = useState(0);
  const [history] = useState(() => new SaidBefore());
  const hasLocks = state.emotes.some(({ tier }) => tier > 0);
  const tier = useOwnTier(handle, hasLocks);
  // Who moderates uses them all.
  const ownTier = state.you?.may_moderate ? Number.POSITIVE_INFINITY : tier;

  const put = useCallback((next: string, caret = next.length) => {
    setText(next);
    setFound(null);
    requestAnimationFrame(() => {
      field.current?.focus();
      field.current?.setSelectionRange(caret, caret);
    });
  }, []);
  useEffect(() => {
    insert.current = (typed) => {
      const now = field.current?.value ?? '';
      const words = muted ? '' : typed;
      put(now === '' || words === '' || now.endsWith(' ') ? now + words : `${now} ${words}`);
    };
  }, [insert, put, muted]);
  useEffect(() => {
    if (replyTo) field.current?.focus();
  }, [replyTo]);
  useGrowth(field, text);

  const begun = (next: string, caret: number, tab = false) => {
    const { you, emotes } = state;
    const { usable } = byTier(emotes, ownTier);
    return complete(next, caret, { you, emotes: usable, names: namesKnown(state, handle) }, tab);
  };
  const look = (next: string, caret: number) => {
    setFound(begun(next, caret));
    setChosen(0);
  };
  const take = (at: number) => {
    const item = found?.items[at];
    if (!found || !item) return;
    const { text: next, caret } = accept(text, found, item);
    put(next, caret);
  };
  const unselect = () => {
    selected.current = null;
  };
  const over = [...text].length - LIMIT;
  // Commands are not said.
  const mustWait = muted || (waits && !text.trimStart().startsWith('/'));
  const send = () => {
    const words = text.trim();
    if (!words || over > 0 || mustWait) return;
    const parsed = parseCommand(words, state.you);
    history.note(words);
    if (parsed?.kind === 'wrong') {
      tell(parsed.words);
      return;
    }
    dismiss();
    if (parsed) void carryOut(parsed.command, words);
    else {
      chat.say(words, replyTo);
      reply(null);
      toEnd.current();
    }
    unselect();
    setText('');
    setFound(null);
    field.current?.focus();
  };
  const carryOut = async (command: Command, words: string) => {
    // What did not work is put right where it was typed, unless one has gone on.
    if (!(await run(command, state))) setText((now) => now || words);
  };

  const keyed = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // A word that is being composed in an input method is not finished.
    if (event.nativeEvent.isComposing || muted) return;
    const deed = found ? keysOfList(event, found) : keysOfField(event);
    if (!deed) return;
    event.preventDefault();
    deed();
  };
  const keysOfList = ({ key, shiftKey }: KeyboardEvent, { items }: Completion): (() => void) | null => {
    const step = (by: number) => () => setChosen((at) => (at + by + items.length) % items.length);
    if (key === 'ArrowDown') return step(1);
    if (key === 'ArrowUp') return step(-1);
    if (key === 'Tab' && !shiftKey) return () => take(chosen);
    // A whole command is sent, and not completed to itself.
    if (key === 'Enter' && !shiftKey)
      return items[chosen]?.insert === text.trim() ? send : () => take(chosen);
    return key === 'Escape' ? () => setFound(null) : null;
  };
  const keysOfField = (event: KeyboardEvent<HTMLTextAreaElement>): (() => void) | null => {
    const { key, shiftKey, currentTarget } = event;
    const { selectionStart: caret } = currentTarget;
    if (key === 'Enter' && !shiftKey) return send;
    if (key === 'Escape' && replyTo) return () => reply(null);
    if (key === 'Tab' && !shiftKey) {
      const found = begun(text, caret, true);
      return found ? () => setFound(found) : null;
    }
    if (key === 'ArrowUp' && caret === 0) return () => put(history.back(text) ?? text, 0);
    if (key === 'ArrowUp' && !text.includes('\n')) return () => put(history.back(text) ?? text);
    if (key === 'ArrowDown' && caret === text.length) {
      return () => {
        const next = history.forward();
        if (next !== null) put(next);
      };
    }
    return null;
  };

  return (
    <form
      className="relative"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {found && (
        <Suggestions id={list} items={found.items} chosen={chosen} onChoose={take} onPoint={setChosen} />
      )}
      {replyTo && (
        <div className="flex items-center gap-2 px-1 pb-1.5 text-xs text-ink-3">
          <bdi className="min-w-0 flex-1 truncate">Answering {quoteText(replyTo)}</bdi>
          <button
            type="button"
            aria-label="Do not answer"
            onClick={() => reply(null)}
            className="flex size-8 shrink-0 items-center justify-center rounded-md hover:bg-surface-2 hover:text-ink pointer-coarse:size-11"
          >
            <X aria-hidden size={14} />
          </button>
        </div>
      )}
      <div className="flex items-end gap-1 rounded-control border border-line-strong/60 bg-surface-0 pr-1 focus-within:border-line-strong">
        <textarea
          ref={field}
          rows={1}
          value={text}
          readOnly={muted}
          aria-disabled={muted}
          role="combobox"
          aria-label="Message"
          aria-expanded={found !== null}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={found ? `${list}-${chosen}` : undefined}
          placeholder={muted ? '' : 'Write a message'}
          enterKeyHint="send"
          autoComplete="off"
          onChange={({ target }) => {
            setText(target.value);
            look(target.value, target.selectionStart);
          }}
          onFocus={unselect}
          onPointerDown={unselect}
          onBlur={() => setFound(null)}
          onKeyDown={keyed}
          className="max-h-32 min-h-11 min-w-0 flex-1 resize-none bg-transparent px-3 py-2.5 text-base text-ink outline-none placeholder:text-ink-3 aria-disabled:text-ink-3 sm:text-sm"
        />
        <Suspense fallback={<span className="size-11" />}>
          <Picker
            emotes={state.emotes}
            ownTier={ownTier}
            disabled={muted}
            onPick={(words) => insert.current(words)}
            onLocked={wantTier}
          />
        </Suspense>
        <button
          type="submit"
          aria-label="Send"
          disabled={text.trim() === '' || over > 0}
          aria-disabled={mustWait}
          className="flex size-11 shrink-0 items-center justify-center rounded-md text-ink hover:bg-surface-2 disabled:text-ink-3 aria-disabled:text-ink-3"
        >
          <SendHorizontal aria-hidden size={18} />
        </button>
      </div>
      {over > -50 && (
        <p className={`pt-1 text-right text-xs tabular-nums ${over > 0 ? 'text-warn-text' : 'text-ink-3'}`}>
          {over > 0 ? `${over} too many` : `${-over} left`}
        </p>
      )}
    </form>
  );
}

/** As tall as what is written, up to a few lines. */
function useGrowth(field: { current: HTMLTextAreaElement | null }, text: string): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: its height follows from the text
  useEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [field, text]);
}

const LIMIT = 500;
