import { X } from 'lucide-react';
import type { Player } from '../../player/player';
import type { PlayerState } from '../../player/state';
import { transportName } from '../../player/transport';
import { Button } from '../../ui/button';
import { useNow } from '../../ui/time';

/** How long it stays over the picture when nobody moves. */
const SHOWN_MS = 20_000;

/** What plays is not what was wished for: why, and a way back. */
export function FallNotice({ player, state, idle }: { player: Player; state: PlayerState; idle: boolean }) {
  const { notice, phase, climbing } = state;
  const now = useNow(notice !== null);
  if (!notice || phase.name !== 'live') return null;
  const hidden = idle && now - notice.at > SHOWN_MS;
  const slower = notice.transport !== 'webrtc';
  const name = transportName(notice.transport).toLowerCase();
  return (
    <div
      className={`fixed inset-x-2 bottom-2 z-10 flex items-start gap-2 rounded-card border border-line bg-surface-1/95 py-2.5 pr-1.5 pl-4 text-sm shadow-panel transition-opacity duration-150 sm:absolute sm:top-18 sm:right-auto sm:bottom-auto sm:left-4 sm:max-w-sm ${
        hidden ? 'opacity-0 focus-within:opacity-100' : ''
      }`}
    >
      <div className="min-w-0 flex-1 py-1">
        <div role="status">
          <p className="font-semibold">{slower ? `Switched to ${name}` : `Playing ${name}`}</p>
          <p className="mt-0.5 text-ink-2">{notice.words}</p>
        </div>
        {slower && (
          <Button size="sm" className="mt-2.5" disabled={climbing} onClick={() => player.backToInstant()}>
            {climbing ? 'Trying instant' : 'Back to instant'}
          </Button>
        )}
      </div>
      <button
        type="button"
        aria-label="Dismiss"
        onClick={() => player.dismissNotice()}
        className="flex size-11 shrink-0 items-center justify-center rounded-control text-ink-2 hover:bg-surface-2 hover:text-ink"
      >
        <X aria-hidden size={18} />
      </button>
    </div>
  );
}
