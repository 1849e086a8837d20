import { ShieldAlert, ShieldOff } from 'lucide-react';
import { chatApi } from '../../api/chat';
import { useActs } from '../chat/acts';

/** All guards up in one click, and as they were before in another. */
export function ShieldButton({ up }: { up: boolean }) {
  const { handle, act } = useActs();
  const Icon = up ? ShieldOff : ShieldAlert;
  return (
    <button
      type="button"
      aria-pressed={up}
      title="Slow mode of 10 seconds, followers of 10 minutes only, no guests, no links, nothing twice; what might offend is held"
      onClick={() =>
        void act(
          () => chatApi.shield(handle, !up),
          up ? 'The shield is down: all is as it was before.' : 'The shield is up.',
          () => chatApi.shield(handle, up),
        )
      }
      className={`inline-flex min-h-9 items-center gap-1.5 rounded-control px-2.5 text-sm font-semibold pointer-coarse:min-h-11 ${
        up
          ? 'border border-warn-line bg-warn-soft text-warn-text'
          : 'text-ink-2 hover:bg-surface-2 hover:text-ink'
      }`}
    >
      <Icon aria-hidden size={16} />
      {up ? 'Lower the shield' : 'Shield'}
    </button>
  );
}
