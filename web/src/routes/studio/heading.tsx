import { Link } from '@tanstack/react-router';
import { ExternalLink, Eye } from 'lucide-react';
import type { OwnChannel } from '../../api/types';
import { buttonClass } from '../../ui/button';
import { Pill } from '../../ui/pill';
import { clock, duration, useNow } from '../../ui/time';

/** Which channel, how it stands, for how long, and who watches: in one place. */
export function Heading({
  channel,
  channels,
  busy,
  onChannel,
  startedAt,
  since,
  viewers,
  silentMs,
  phase,
  preview,
}: {
  channel: OwnChannel;
  channels: OwnChannel[];
  busy: boolean;
  onChannel: (handle: string) => void;
  startedAt: string | null;
  since: number | null;
  viewers: number;
  /** How long the server has said nothing of them, `null` while it does. */
  silentMs: number | null;
  phase: string;
  /** On air, and nobody else is told of it yet. */
  preview: boolean;
}) {
  const onAir = phase === 'live' || phase === 'reconnecting';
  const now = useNow(onAir);
  const start = startedAt ? Date.parse(startedAt) : since;
  return (
    <div className="flex min-h-11 flex-wrap items-center gap-x-4 gap-y-2">
      <h1 className="text-xl font-semibold tracking-tight">Studio</h1>
      {channels.length > 1 ? (
        <select
          aria-label="Channel"
          value={channel.handle}
          disabled={busy}
          onChange={(event) => onChannel(event.target.value)}
          className="min-h-11 rounded-control border border-line bg-surface-1 px-3 text-sm"
        >
          {channels.map(({ handle }) => (
            <option key={handle} value={handle}>
              @{handle}
            </option>
          ))}
        </select>
      ) : (
        <span className="text-sm text-ink-3">@{channel.handle}</span>
      )}
      <div className="ml-auto flex items-center gap-3 text-sm text-ink-2 tabular-nums">
        {phase === 'live' ? (
          <Pill tone={preview ? 'preview' : 'live'} dot>
            {preview ? 'Preview on air' : 'On air'} {start !== null && clock(now - start)}
          </Pill>
        ) : phase === 'reconnecting' ? (
          <Pill tone="warn">Reconnecting</Pill>
        ) : phase === 'starting' ? (
          <Pill tone="preview">Connecting</Pill>
        ) : (
          <Pill tone="preview">Preview</Pill>
        )}
        {onAir && (
          <span
            className="inline-flex items-center gap-1.5"
            title={silentMs === null ? 'Watching now' : 'The server does not answer'}
          >
            <Eye aria-hidden size={16} />
            <span data-testid="viewers">{silentMs === null ? viewers : '–'}</span>
            <span className="sr-only">watching</span>
            {silentMs !== null && <span>last heard {duration(silentMs)} ago</span>}
          </span>
        )}
        <Link
          to="/@{$handle}"
          params={{ handle: channel.handle }}
          target="_blank"
          className={buttonClass('ghost', 'sm')}
          aria-label="Open your channel page in a new tab"
        >
          <ExternalLink aria-hidden size={16} />
          <span className="hidden sm:inline">Watch page</span>
        </Link>
      </div>
    </div>
  );
}
