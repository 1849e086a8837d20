/** What is planned, what is over, and planning more. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { CalendarPlus, CalendarX2, ChartLine, Pencil, Trash2 } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import type { StreamInsights } from '../../../api/insights';
import { type Stream, streamsApi } from '../../../api/streams';
import { Button, buttonClass } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { CopyRow } from '../../../ui/copy';
import { Dialog } from '../../../ui/dialog';
import { Notice } from '../../../ui/notice';
import { Pill } from '../../../ui/pill';
import { Spinner } from '../../../ui/spinner';
import { COUNT, clock, useNow } from '../../../ui/time';
import { GateBadge } from '../../gates/gate_badge';
import { NoAnswer } from '../../no_answer';
import { streamsKey, usePast, useSchedule } from '../../streams/use_streams';
import { untilWords, whenWords, zoneWords } from '../../streams/words';
import { DashboardFrame } from '../frame';
import { useInsights } from '../insights/use_insights';
import { watchWords } from '../insights/words';

const PlanDialog = lazy(() => import('../../streams/plan_dialog'));

export function SchedulePage() {
  return (
    <DashboardFrame section="/dashboard/streams">
      {({ handle }) => (
        <div className="flex flex-col gap-4 lg:gap-6">
          <Ahead handle={handle} />
          <Past handle={handle} />
        </div>
      )}
    </DashboardFrame>
  );
}

/** What the form is open for. */
type Form = { stream: Stream | null } | null;

function Ahead({ handle }: { handle: string }) {
  const schedule = useSchedule(handle);
  const [form, setForm] = useState<Form>(null);
  const items = schedule.data?.items ?? [];
  const plan = (
    <Button look="preview" onClick={() => setForm({ stream: null })}>
      <CalendarPlus aria-hidden size={18} />
      Plan a stream
    </Button>
  );
  return (
    <Card title="Planned" aside={items.length > 0 && plan}>
      {!schedule.data && <Asking reason={schedule.failureReason} onRetry={() => void schedule.refetch()} />}
      {schedule.data && items.length === 0 && (
        <div className="flex flex-col items-start gap-4">
          <p className="max-w-prose text-sm text-ink-2">
            Nothing is planned. Plan a stream, and your page counts down to it; followers are told, and
            calendars can follow it.
          </p>
          {plan}
        </div>
      )}
      {items.length > 0 && (
        <>
          <ul>
            {items.map((stream) => (
              <Planned key={stream.id} stream={stream} onEdit={() => setForm({ stream })} />
            ))}
          </ul>
          <div className="mt-5 border-t border-line pt-5">
            <CopyRow
              label="Your schedule, for calendars to follow"
              value={`${location.origin}/api/channels/${handle}/schedule.ics`}
            />
          </div>
        </>
      )}
      {form && (
        <Suspense fallback={null}>
          <PlanDialog handle={handle} stream={form.stream} onClose={() => setForm(null)} />
        </Suspense>
      )}
    </Card>
  );
}

function Planned({ stream, onEdit }: { stream: Stream; onEdit: () => void }) {
  const now = useNow();
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const cancel = useMutation({
    mutationFn: () => streamsApi.cancel(stream.id),
    onSettled: () => queries.invalidateQueries({ queryKey: streamsKey(stream.channel) }),
  });
  const at = stream.scheduled_at ?? '';
  const title = stream.title || 'Untitled stream';
  const cancelled = stream.state === 'cancelled';
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-3 border-t border-line py-4 first:border-t-0 first:pt-0 last:pb-0">
      <Day at={at} />
      <div className="min-w-0 flex-1 basis-48">
        <p className={`font-medium break-words ${cancelled ? 'text-ink-3 line-through' : ''}`}>{title}</p>
        <p className="mt-1 flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-ink-3 tabular-nums">
          <time dateTime={at}>
            {whenWords(at)} {zoneWords(at)}
          </time>
          {cancelled ? (
            <Pill tone="neutral">Cancelled</Pill>
          ) : (
            <>
              <Pill tone="preview">{stream.state === 'preparing' ? 'Prepared' : 'Scheduled'}</Pill>
              <span>{Date.parse(at) > now ? `in ${untilWords(at, now)}` : 'Waiting for you'}</span>
            </>
          )}
          {stream.visibility === 'unlisted' && <Pill tone="neutral">Unlisted</Pill>}
          <GateBadge gate={stream.gate} />
          {stream.publish_at_button && <span>· previewed first</span>}
        </p>
      </div>
      {!cancelled && (
        <div className="flex items-center gap-1">
          <Button onClick={onEdit} aria-label={`Edit ${title}`}>
            <Pencil aria-hidden size={16} />
            Edit
          </Button>
          <Button look="ghost" onClick={() => setAsking(true)} aria-label={`Cancel ${title}`}>
            <Trash2 aria-hidden size={16} />
            Cancel
          </Button>
        </div>
      )}
      {cancel.error && (
        <div className="basis-full">
          <Notice title="That did not work">{cancel.error.message}</Notice>
        </div>
      )}
      <Dialog
        open={asking}
        onClose={() => setAsking(false)}
        title="Cancel this stream?"
        actions={
          <>
            <Button onClick={() => setAsking(false)}>Keep it</Button>
            <Button
              look="warn"
              onClick={() => {
                setAsking(false);
                cancel.mutate();
              }}
            >
              <CalendarX2 aria-hidden size={18} />
              Cancel the stream
            </Button>
          </>
        }
      >
        Your page and all calendars that follow it say that “{title}” does not take place.
      </Dialog>
    </li>
  );
}

/** The leaf of a calendar. */
function Day({ at }: { at: string }) {
  const day = new Date(at);
  return (
    <span
      aria-hidden
      className="flex size-14 shrink-0 flex-col items-center justify-center rounded-control border border-line bg-surface-2 leading-none"
    >
      <span className="text-xs font-medium text-ink-3 uppercase">{MONTH.format(day)}</span>
      <span className="mt-1 text-xl font-semibold tabular-nums">{day.getDate()}</span>
    </span>
  );
}

function Past({ handle }: { handle: string }) {
  const past = usePast(handle);
  const oldest = past.items.findLast(({ started_at }) => started_at != null);
  const { items: insights } = useInsights(handle, oldest?.id ?? null);
  return (
    <Card title="Past streams">
      {!past.data && <Asking reason={past.failureReason} onRetry={() => void past.refetch()} />}
      {past.data && past.items.length === 0 && (
        <p className="text-sm text-ink-2">Nothing yet. Every stream appears here when it has ended.</p>
      )}
      {past.items.length > 0 && (
        <ul>
          {past.items.map((stream) => (
            <Over key={stream.id} stream={stream} came={insights.find(({ id }) => id === stream.id)} />
          ))}
        </ul>
      )}
      {past.hasNextPage && (
        <Button className="mt-4" disabled={past.isFetchingNextPage} onClick={() => void past.fetchNextPage()}>
          Show more
        </Button>
      )}
    </Card>
  );
}

/** A stream that is over, and what it came to, where that is known. */
function Over({ stream, came }: { stream: Stream; came: StreamInsights | undefined }) {
  const { started_at, ended_at, scheduled_at, source } = stream;
  const length = started_at && ended_at ? Date.parse(ended_at) - Date.parse(started_at) : null;
  const at = started_at ?? scheduled_at ?? ended_at ?? '';
  const title = stream.title || 'Untitled stream';
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-3 border-t border-line py-4 first:border-t-0 first:pt-0 last:pb-0">
      <Day at={at} />
      <div className="min-w-0 flex-1 basis-48">
        <p className="font-medium break-words">{title}</p>
        <p className="mt-1 flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-ink-3 tabular-nums">
          <time dateTime={at}>{whenWords(at)}</time>
          {length === null ? (
            <Pill tone="neutral">Did not take place</Pill>
          ) : (
            <span>
              · {clock(length)} on air{source && `, by ${source.toUpperCase()}`}
            </span>
          )}
          {came && (
            <span>
              · {COUNT.format(came.peak)} at its peak, {watchWords(came.watch_seconds)} watched
            </span>
          )}
          {stream.is_preview && <Pill tone="neutral">Never published</Pill>}
        </p>
      </div>
      {length !== null && (
        <Link
          to="/dashboard/insights"
          search={{ channel: stream.channel, stream: stream.id }}
          aria-label={`Insights of ${title}`}
          className={buttonClass('secondary', 'sm')}
        >
          <ChartLine aria-hidden size={16} />
          Insights
        </Link>
      )}
    </li>
  );
}

function Asking({ reason, onRetry }: { reason: Error | null; onRetry: () => void }) {
  if (reason) return <NoAnswer reason={reason.message} onRetry={onRetry} />;
  return (
    <p className="flex items-center gap-3 text-sm text-ink-2">
      <Spinner size={16} /> Asking the server
    </p>
  );
}

const MONTH = new Intl.DateTimeFormat('en', { month: 'short' });
