import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { BellOff, BellRing, CalendarClock, Film, type LucideIcon, RadioTower, UserPlus } from 'lucide-react';
import { type Notification, notifications } from '../../api/notifications';
import { Button } from '../../ui/button';
import { Notice } from '../../ui/notice';
import { Spinner } from '../../ui/spinner';
import { ago, useNow } from '../../ui/time';
import { NOTIFICATIONS } from './use_unread';

const ICONS: Record<Notification['kind'], LucideIcon> = {
  live: RadioTower,
  scheduled: CalendarClock,
  recording_ready: Film,
  new_follower: UserPlus,
  test: BellRing,
};

/** What somebody was told, newest first. */
export function NotificationList({ onOpen, unread }: { onOpen: () => void; unread: number }) {
  const list = useInfiniteQuery({
    queryKey: NOTIFICATIONS,
    queryFn: ({ pageParam }) => notifications.list(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  // The event stream tells of the change, which brings the list anew.
  const read = useMutation({ mutationFn: (id?: string) => notifications.read(id) });
  const now = useNow();
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const failure = list.error ?? read.error;
  return (
    <div className="min-h-0 overflow-y-auto overscroll-contain">
      {failure && (
        <div className="p-3">
          <Notice
            title="The notifications could not be loaded"
            action={
              <Button size="sm" onClick={() => void list.refetch()}>
                Try again
              </Button>
            }
          >
            {failure.message}
          </Notice>
        </div>
      )}
      {list.isPending && (
        <p className="flex items-center justify-center gap-3 p-8 text-sm text-ink-2">
          <Spinner />
          Loading
        </p>
      )}
      {list.data && items.length === 0 && <Nothing />}
      <ul>
        {items.map((item) => (
          <Row
            key={item.id}
            item={item}
            now={now}
            onOpen={() => {
              if (!item.read_at) read.mutate(item.id);
              onOpen();
            }}
          />
        ))}
      </ul>
      {(unread > 0 || list.hasNextPage) && (
        <div className="sticky bottom-0 flex justify-between gap-2 border-t border-line bg-surface-1 p-1.5">
          {unread > 0 && (
            <Button size="sm" look="ghost" disabled={read.isPending} onClick={() => read.mutate(undefined)}>
              Mark all as read
            </Button>
          )}
          {list.hasNextPage && (
            <Button
              size="sm"
              look="ghost"
              disabled={list.isFetchingNextPage}
              onClick={() => void list.fetchNextPage()}
            >
              Older
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

function Row({ item, now, onOpen }: { item: Notification; now: number; onOpen: () => void }) {
  const navigate = useNavigate();
  const Icon = ICONS[item.kind];
  return (
    <li>
      <a
        href={item.link}
        className="flex min-h-16 items-start gap-3 px-4 py-3 hover:bg-surface-2 focus-visible:-outline-offset-2"
        onClick={(event) => {
          onOpen();
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          void navigate({ href: item.link });
        }}
      >
        <Icon
          aria-hidden
          size={20}
          className={`mt-0.5 shrink-0 ${item.kind === 'live' ? 'text-live-text' : item.kind === 'scheduled' ? 'text-preview-text' : 'text-ink-2'}`}
        />
        <span className="min-w-0 flex-1 text-sm">
          <span
            className={`block [overflow-wrap:anywhere] ${item.read_at ? 'text-ink-2' : 'font-semibold text-ink'}`}
          >
            {item.title}
          </span>
          {item.body && <span className="line-clamp-2 block text-ink-2">{item.body}</span>}
          <span className="block text-ink-3">{ago(item.created_at, now)}</span>
        </span>
        {!item.read_at && (
          <span className="mt-1.5 size-2 shrink-0 rounded-full bg-ink">
            <span className="sr-only">Not read</span>
          </span>
        )}
      </a>
    </li>
  );
}

function Nothing() {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-10 text-center text-sm text-ink-2">
      <BellOff aria-hidden size={24} className="text-ink-3" />
      <p className="font-medium text-ink">Nothing yet</p>
      <p>Follow a channel, and you hear here when it goes live or plans a stream.</p>
    </div>
  );
}
