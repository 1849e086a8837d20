/** What the parts of a chat do, and the line that says what became of it. */
import { createContext, type ReactNode, useCallback, useContext, useMemo, useRef, useState } from 'react';
import type { Chat } from '../../chat/chat';
import type { Message, ReplyTo } from '../../chat/protocol';

export interface Note {
  words: string;
  /** Takes back what was done. */
  undo: (() => void) | null;
  /** Lines of `/help`. */
  lines: readonly string[];
}

interface Acts {
  chat: Chat;
  handle: string;
  note: Note | null;
  tell: (words: string, more?: Partial<Note>) => void;
  dismiss: () => void;
  /** Asks the server for something, and says how that went; resolves with whether it did. */
  act: (deed: () => Promise<unknown>, done: string, undo?: () => Promise<unknown>) => Promise<boolean>;
  replyTo: ReplyTo | null;
  reply: (message: Message | null) => void;
  /** Of whom the card is open. */
  card: string | null;
  showCard: (subject: string | null) => void;
  /** Whether it is asked if all messages should really go. */
  clearing: boolean;
  askToClear: (asking: boolean) => void;
  /** The tier of membership that one wants, for its emotes. */
  wantedTier: number | null;
  wantTier: (tier: number | null) => void;
  /** The message that one points at, for `/pin`. */
  selected: { current: Message | null };
  /** Puts words where one writes. */
  insert: { current: (words: string) => void };
  /** Shows the newest messages, also to who reads above. */
  toEnd: { current: () => void };
}

const Context = createContext<Acts | null>(null);

export function useActs(): Acts {
  const acts = useContext(Context);
  if (!acts) throw new Error('This belongs inside <ChatActs>.');
  return acts;
}

export function ChatActs({ chat, children }: { chat: Chat; children: ReactNode }) {
  const [note, setNote] = useState<Note | null>(null);
  const [replyTo, setReplyTo] = useState<ReplyTo | null>(null);
  const [card, setCard] = useState<string | null>(null);
  const [clearing, askToClear] = useState(false);
  const [wantedTier, wantTier] = useState<number | null>(null);
  const selected = useRef<Message | null>(null);
  const insert = useRef<(words: string) => void>(() => undefined);
  const toEnd = useRef<() => void>(() => undefined);
  const tell = useCallback((words: string, more: Partial<Note> = {}) => {
    setNote({ words, undo: null, lines: [], ...more });
  }, []);
  const act = useCallback<Acts['act']>(
    async (deed, done, undo) => {
      try {
        await deed();
      } catch (error) {
        tell(error instanceof Error ? error.message : 'That did not work.');
        return false;
      }
      const back = undo && (() => void act(undo, 'Taken back.'));
      if (done) tell(done, { undo: back ?? null });
      return true;
    },
    [tell],
  );
  const acts = useMemo<Acts>(
    () => ({
      chat,
      handle: chat.handle,
      note,
      tell,
      dismiss: () => setNote(null),
      act,
      replyTo,
      reply: (message) =>
        setReplyTo(message && { id: message.id, name: message.from.name, text: message.text }),
      card,
      showCard: setCard,
      clearing,
      askToClear,
      wantedTier,
      wantTier,
      selected,
      insert,
      toEnd,
    }),
    [chat, note, tell, act, replyTo, card, clearing, wantedTier],
  );
  return <Context.Provider value={acts}>{children}</Context.Provider>;
}
