/** Channels of everybody. */
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useDeferredValue, useState } from 'react';
import { adminApi } from '../../api/admin';
import { Button } from '../../ui/button';
import { TextField } from '../../ui/field';
import { Pill } from '../../ui/pill';
import { ago, useNow } from '../../ui/time';
import { Ask, type Question } from './ask';
import { AdminFrame } from './frame';
import { List, Row } from './list';

const key = ['admin', 'channels'];

export function ChannelsPage() {
  return (
    <AdminFrame title="Channels">
      <Channels />
    </AdminFrame>
  );
}

function Channels() {
  const queries = useQueryClient();
  const now = useNow(false);
  const [text, setText] = useState('');
  const [question, setQuestion] = useState<Question | null>(null);
  const q = useDeferredValue(text.trim());
  const query = useInfiniteQuery({
    queryKey: [...key, q],
    queryFn: ({ pageParam }) => adminApi.channels(q, pageParam),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (before) => before,
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  const hide = (handle: string, hidden: boolean) =>
    adminApi.hideChannel(handle, hidden).then(() => queries.invalidateQueries({ queryKey: key }));
  return (
    <>
      <search>
        <form onSubmit={(event) => event.preventDefault()}>
          <TextField
            label="Handle or name"
            type="search"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </form>
      </search>
      <List
        label="Channels"
        error={query.error}
        isWaiting={query.isPending}
        empty={items.length === 0 ? 'No channel is like that. Search for less.' : null}
        onMore={query.hasNextPage ? () => void query.fetchNextPage() : undefined}
      >
        {items.map((channel) => (
          <Row
            key={channel.id}
            title={
              <>
                {channel.name}
                <Link
                  to="/@{$handle}"
                  params={{ handle: channel.handle }}
                  className="rounded font-normal text-ink-2 underline underline-offset-4 hover:text-ink"
                >
                  @{channel.handle}
                </Link>
              </>
            }
            pills={
              <>
                {channel.visibility !== 'public' && <Pill tone="neutral">{channel.visibility}</Pill>}
                {channel.is_hidden && <Pill tone="warn">Hidden</Pill>}
              </>
            }
            lines={[`of ${channel.owner.name ?? 'nobody'} · made ${ago(channel.created_at, now)}`]}
            actions={
              <Button
                size="sm"
                aria-label={`${channel.is_hidden ? 'Show' : 'Hide'} @${channel.handle}`}
                onClick={() =>
                  setQuestion(
                    channel.is_hidden
                      ? {
                          title: `Show @${channel.handle} again?`,
                          words: 'It stands in lists and in the search again, as its owner chose.',
                          act: 'Show again',
                          run: () => hide(channel.handle, false),
                        }
                      : {
                          title: `Hide @${channel.handle}?`,
                          words:
                            'It stands in no list and in no search any more. Who has its address still finds it.',
                          act: 'Hide',
                          run: () => hide(channel.handle, true),
                        },
                  )
                }
              >
                {channel.is_hidden ? 'Show' : 'Hide'}
              </Button>
            }
          />
        ))}
      </List>
      <Ask question={question} onClose={() => setQuestion(null)} />
    </>
  );
}
