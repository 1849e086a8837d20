/** What is on air, and the way to end it. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { adminApi } from '../../api/admin';
import { Button } from '../../ui/button';
import { Pill } from '../../ui/pill';
import { clock, useNow } from '../../ui/time';
import { Ask, type Question } from './ask';
import { AdminFrame } from './frame';
import { List, Row } from './list';

const key = ['admin', 'streams'];

export function StreamsPage() {
  return (
    <AdminFrame title="Streams">
      <Streams />
    </AdminFrame>
  );
}

function Streams() {
  const queries = useQueryClient();
  const [question, setQuestion] = useState<Question | null>(null);
  const query = useQuery({ queryKey: key, queryFn: adminApi.streams, refetchInterval: 3000 });
  const items = query.data?.items ?? [];
  const now = useNow(items.length > 0);
  return (
    <>
      <List
        label="On air"
        error={query.error}
        isWaiting={query.isPending}
        empty={items.length === 0 ? 'Nobody is on air now. Streams stand here as soon as they begin.' : null}
      >
        {items.map((stream) => (
          <Row
            key={stream.id}
            title={
              <>
                {stream.title || stream.channel}
                <Link
                  to="/@{$handle}"
                  params={{ handle: stream.handle }}
                  className="rounded font-normal text-ink-2 underline underline-offset-4 hover:text-ink"
                >
                  @{stream.handle}
                </Link>
              </>
            }
            pills={
              <>
                <Pill tone={stream.is_reconnecting ? 'warn' : 'live'} dot>
                  {stream.is_reconnecting ? 'Reconnecting' : 'Live'}
                </Pill>
                {!stream.is_listed && <Pill tone="neutral">Unlisted</Pill>}
              </>
            }
            lines={[
              [
                stream.started_at && `for ${clock(now - Date.parse(stream.started_at))}`,
                `${stream.viewers} watching`,
                stream.height && `${stream.width} × ${stream.height}`,
              ]
                .filter(Boolean)
                .join(' · '),
            ]}
            actions={
              <Button
                size="sm"
                look="warn"
                aria-label={`End the stream of @${stream.handle}`}
                onClick={() =>
                  setQuestion({
                    title: `End the stream of @${stream.handle}?`,
                    words: 'It goes off the air at once, for all who watch. Its recording stays.',
                    act: 'End the stream',
                    run: () =>
                      adminApi.endStream(stream.id).then(() => queries.invalidateQueries({ queryKey: key })),
                  })
                }
              >
                End
              </Button>
            }
          />
        ))}
      </List>
      <Ask question={question} onClose={() => setQuestion(null)} />
    </>
  );
}
