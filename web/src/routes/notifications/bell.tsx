/** The bell in the header: how much is new, and the list behind it. */
import { Popover } from '@base-ui/react/popover';
import { Link } from '@tanstack/react-router';
import { Bell as BellIcon, Settings } from 'lucide-react';
import { useState } from 'react';
import { Announce } from '../../ui/announce';
import { buttonClass } from '../../ui/button';
import { NotificationList } from './list';
import { useUnread } from './use_unread';

export default function Bell() {
  const unread = useUnread();
  const [open, setOpen] = useState(false);
  const words = unread === 0 ? 'nothing new' : `${unread} new`;
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Announce topic={String(unread)} words={unread > 0 ? `${unread} new notifications` : ''} />
      <Popover.Trigger
        aria-label={`Notifications, ${words}`}
        className={`${buttonClass('ghost')} relative size-11 px-0!`}
      >
        <BellIcon aria-hidden size={20} />
        {unread > 0 && (
          <span
            aria-hidden
            className="absolute top-1 right-0.5 flex h-5 min-w-5 items-center justify-center rounded-full border-2 border-surface-0 bg-ink px-1 text-[11px] font-bold text-surface-0 tabular-nums"
          >
            {unread > 99 ? '99+' : unread}
          </span>
        )}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="end" collisionPadding={12} className="z-40">
          <Popover.Popup className="flex max-h-[min(34rem,var(--available-height))] w-[min(24rem,calc(100vw-1.5rem))] flex-col overflow-hidden rounded-card border border-line bg-surface-1 text-ink shadow-panel outline-none">
            <div className="flex items-center justify-between border-b border-line py-1.5 pr-1.5 pl-4">
              <Popover.Title className="text-base font-semibold">Notifications</Popover.Title>
              <Link
                to="/settings/notifications"
                aria-label="Choose what you are told of"
                className={`${buttonClass('ghost')} size-11 px-0!`}
                onClick={() => setOpen(false)}
              >
                <Settings aria-hidden size={18} />
              </Link>
            </div>
            <NotificationList onOpen={() => setOpen(false)} unread={unread} />
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}
