/** The chat beside the picture, or below it on a phone; put away and fetched back. */
import { MessageSquare } from 'lucide-react';
import { lazy, Suspense } from 'react';
import type { Chat } from '../../chat/chat';
import { prefer } from '../../chat/preferences';
import { Button } from '../../ui/button';
import { usePreferences } from '../chat/use_chat';
import { useKeyboard } from '../chat/use_keyboard';

/** The picture does not wait for it. */
const ChatPanel = lazy(() => import('../chat/panel'));

export function ChatSide({ chat, theater }: { chat: Chat; theater: boolean }) {
  const { open } = usePreferences();
  useKeyboard(open && !theater);
  if (!open) {
    if (theater) return null;
    return (
      <div className="order-2 px-4 pt-3 sm:px-6 lg:px-2 lg:pt-5">
        <Button size="sm" className="max-lg:w-full max-lg:min-h-11" onClick={() => prefer({ open: true })}>
          <MessageSquare aria-hidden size={16} />
          <span className="lg:sr-only">Show the chat</span>
        </Button>
      </div>
    );
  }
  const place = theater
    ? 'h-dvh max-lg:hidden'
    : 'order-2 h-[calc(var(--visible-height,100dvh)-3.5rem-56.25vw)] min-h-80 lg:sticky lg:top-14 lg:h-[calc(100dvh-3.5rem)] chat-below';
  return (
    <aside
      aria-label="Chat"
      className={`shrink-0 border-line max-lg:w-full max-lg:border-y lg:w-[21rem] lg:border-l xl:w-96 ${place}`}
    >
      <Suspense fallback={<p className="p-4 text-sm text-ink-3">Opening the chat</p>}>
        <ChatPanel
          chat={chat}
          popOut
          reactions
          follows
          onClose={() => prefer({ open: false })}
          className="h-full"
        />
      </Suspense>
    </aside>
  );
}
