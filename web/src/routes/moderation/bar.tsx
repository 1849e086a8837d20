/** What a moderator has at hand above the messages. */

import { Popover } from '@base-ui/react/popover';
import { Link } from '@tanstack/react-router';
import { BarChart3, Gavel, SlidersHorizontal } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import type { ChatState } from '../../chat/state';
import { useActs } from '../chat/acts';
import { HEAD_BUTTON } from '../chat/head_button';
import { ModesEditor } from './modes_editor';
import { ShieldButton } from './shield_button';

const PollDialog = lazy(() => import('../chat/poll_dialog'));

/** `here`: the moderator's view is this page. */
export default function ModBar({ state, here }: { state: ChatState; here: boolean }) {
  const { handle } = useActs();
  const [asking, setAsking] = useState(false);
  return (
    <div
      role="toolbar"
      aria-label="Moderation"
      className="flex items-center gap-0.5 border-b border-line px-1.5 py-0.5"
    >
      <ShieldButton up={state.modes.shield} />
      <span className="ml-auto" />
      <Popover.Root>
        <Popover.Trigger aria-label="How one may write" title="How one may write" className={HEAD_BUTTON}>
          <SlidersHorizontal aria-hidden size={16} />
        </Popover.Trigger>
        <Popover.Portal>
          <Popover.Positioner
            positionMethod="fixed"
            side="bottom"
            align="end"
            sideOffset={6}
            collisionPadding={8}
            className="z-50"
          >
            <Popover.Popup className="max-h-[min(36rem,80dvh)] w-80 max-w-[calc(100vw-1rem)] overflow-y-auto rounded-card border border-line bg-surface-1 p-4 text-ink shadow-panel outline-none">
              <Popover.Title className="mb-2 text-sm font-semibold">How one may write</Popover.Title>
              <ModesEditor handle={handle} modes={state.modes} />
            </Popover.Popup>
          </Popover.Positioner>
        </Popover.Portal>
      </Popover.Root>
      <button
        type="button"
        aria-label="New poll"
        title="New poll"
        onClick={() => setAsking(true)}
        className={HEAD_BUTTON}
      >
        <BarChart3 aria-hidden size={16} />
      </button>
      {!here && (
        <Link
          to="/moderate/$handle"
          params={{ handle }}
          target="_blank"
          aria-label="Moderator view"
          title="Moderator view"
          className={HEAD_BUTTON}
        >
          <Gavel aria-hidden size={16} />
        </Link>
      )}
      {asking && (
        <Suspense fallback={null}>
          <PollDialog onClose={() => setAsking(false)} />
        </Suspense>
      )}
    </div>
  );
}
