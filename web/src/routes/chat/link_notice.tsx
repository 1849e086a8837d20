import { Unplug } from 'lucide-react';
import type { ChatState } from '../../chat/state';
import { Button } from '../../ui/button';
import { Spinner } from '../../ui/spinner';
import { useNow } from '../../ui/time';
import { useActs } from './acts';

/** How it stands with the connection, where it does not simply stand. */
export function LinkNotice({ state }: { state: ChatState }) {
  const { chat } = useActs();
  const { link } = state;
  const now = useNow(link.name === 'reconnecting');
  if (link.name === 'open') return null;
  const seconds = link.name === 'reconnecting' ? Math.ceil((link.retryAt - now) / 1000) : 0;
  return (
    <div className="flex min-h-11 items-center gap-2.5 border-b border-line bg-surface-2 px-3 py-1 text-sm text-ink-2">
      {link.name === 'closed' ? <Unplug aria-hidden size={16} /> : <Spinner size={16} />}
      <p role="status" className="min-w-0 flex-1">
        {link.name === 'connecting' && 'Joining the chat'}
        {link.name === 'reconnecting' && 'The chat is away. It comes back by itself.'}
        {link.name === 'closed' && link.words}
      </p>
      {seconds > 1 && <span className="tabular-nums">{seconds} s</span>}
      {link.name !== 'connecting' && (
        <Button size="sm" onClick={() => chat.retryNow()}>
          Try now
        </Button>
      )}
    </div>
  );
}
