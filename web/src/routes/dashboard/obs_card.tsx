import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { KeyRound, RefreshCw, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { api } from '../../api/client';
import type { NewStreamKey, StreamKey } from '../../api/types';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { CopyRow } from '../../ui/copy';
import { Dialog } from '../../ui/dialog';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { ago, useNow } from '../../ui/time';

/** Everything OBS wants, on one card. */
export function ObsCard({ handle }: { handle: string }) {
  return (
    <Card title="Stream with OBS">
      <div className="flex flex-col gap-6">
        <CopyRow label="Server" value={`${location.origin}/whip`} />
        <Keys handle={handle} />
        <Steps />
        <Rtmp handle={handle} />
      </div>
    </Card>
  );
}

/** For what speaks no WHIP: older versions of OBS, Streamlabs, phones, hardware. */
function Rtmp({ handle }: { handle: string }) {
  const { data } = useQuery({ queryKey: ['ingest', handle], queryFn: () => api.ingest(handle) });
  const servers = [
    ['RTMP server', 'rtmp', data?.rtmp_port, 1935],
    ['RTMPS server (encrypted)', 'rtmps', data?.rtmps_port, 443],
  ] as const;
  const offered = servers.filter(([, , port]) => port != null);
  if (offered.length === 0) return null;
  return (
    <div>
      <h3 className="mb-1 text-sm font-medium">By RTMP</h3>
      <p className="mb-3 text-sm text-ink-2">
        For older OBS, Streamlabs, phones and hardware: service Custom, this server, and the stream key as
        Stream Key. Set B-frames to 0, so that it can be watched at once.
      </p>
      <div className="flex flex-col gap-3">
        {offered.map(([label, scheme, port, usual]) => (
          <CopyRow
            key={scheme}
            label={label}
            value={`${scheme}://${location.hostname}${port === usual ? '' : `:${port}`}/live`}
          />
        ))}
      </div>
    </div>
  );
}

function Keys({ handle }: { handle: string }) {
  const queries = useQueryClient();
  const now = useNow();
  const listKey = ['stream_keys', handle];
  const keys = useQuery({ queryKey: listKey, queryFn: () => api.streamKeys(handle) });
  const [shown, setShown] = useState<NewStreamKey | null>(null);
  const [naming, setNaming] = useState(false);
  const [name, setName] = useState('');
  const [asking, setAsking] = useState<{ what: 'rotate' | 'revoke'; key: StreamKey } | null>(null);
  const changed = () => queries.invalidateQueries({ queryKey: listKey });
  const reveal = (key: NewStreamKey) => {
    setShown(key);
    setNaming(false);
    setName('');
    return changed();
  };
  const create = useMutation({
    mutationFn: (label: string) => api.createStreamKey(handle, label),
    onSuccess: reveal,
  });
  const rotate = useMutation({
    mutationFn: (id: string) => api.rotateStreamKey(handle, id),
    onSuccess: reveal,
  });
  const revoke = useMutation({
    mutationFn: (id: string) => api.revokeStreamKey(handle, id),
    onSuccess: (_done, id) => {
      if (shown?.id === id) setShown(null);
      return changed();
    },
  });
  const failure = create.error ?? rotate.error ?? revoke.error ?? keys.error;
  const items = keys.data?.items ?? [];
  return (
    <div>
      <div className="mb-1.5 flex min-h-9 items-center justify-between gap-4">
        <h3 className="text-sm font-medium">Stream keys</h3>
        {items.length > 0 && !naming && (
          <Button size="sm" look="ghost" onClick={() => setNaming(true)}>
            New key
          </Button>
        )}
      </div>
      {shown && (
        <div
          className="mb-3 rounded-control border border-line-strong bg-surface-2 p-3.5"
          data-testid="new-key"
        >
          <CopyRow label={`Key "${shown.name}"`} value={shown.key} />
          <p className="mt-2 text-sm text-ink-2">
            Copy it now: it is shown this once and kept only as a hash. Whoever has it can go live on your
            channel.
          </p>
          <Button size="sm" className="mt-3" onClick={() => setShown(null)}>
            I have copied it
          </Button>
        </div>
      )}
      {failure && (
        <div className="mb-3">
          <Notice title="That did not work">{failure.message}</Notice>
        </div>
      )}
      {naming && (
        <form
          className="mb-3 flex flex-wrap items-end gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            create.mutate(name.trim() || 'OBS');
          }}
        >
          <div className="min-w-48 flex-1">
            <TextField
              label="Name of the new key"
              placeholder="OBS in the office"
              value={name}
              maxLength={60}
              onChange={(event) => setName(event.target.value)}
            />
          </div>
          <Button type="submit" look="primary" disabled={create.isPending}>
            Make key
          </Button>
          <Button look="ghost" onClick={() => setNaming(false)}>
            Cancel
          </Button>
        </form>
      )}
      {keys.data && items.length === 0 && !naming && (
        <div className="flex flex-wrap items-center gap-4 rounded-control border border-line bg-surface-0 p-4">
          <KeyRound aria-hidden size={20} className="text-ink-3" />
          <p className="min-w-40 flex-1 text-sm text-ink-2">OBS needs a key to go live on your channel.</p>
          <Button look="primary" disabled={create.isPending} onClick={() => create.mutate('OBS')}>
            Make a stream key
          </Button>
        </div>
      )}
      {items.length > 0 && (
        <ul className="divide-y divide-line rounded-control border border-line bg-surface-0">
          {items.map((key) => (
            <li key={key.id} className="flex flex-wrap items-center gap-x-3 gap-y-1 py-1.5 pr-1.5 pl-3.5">
              <div className="min-w-0 flex-1">
                <p className="truncate text-sm font-medium">{key.name}</p>
                <p className="truncate text-sm text-ink-3">
                  <code className="font-mono">tl_{key.prefix}…</code>{' '}
                  {key.last_used_at ? `used ${ago(key.last_used_at, now)}` : 'never used'}
                </p>
              </div>
              <Button
                size="sm"
                look="ghost"
                aria-label={`Rotate key ${key.name}`}
                onClick={() => setAsking({ what: 'rotate', key })}
              >
                <RefreshCw aria-hidden size={16} />
                <span className="hidden sm:inline">Rotate</span>
              </Button>
              <Button
                size="sm"
                look="ghost"
                aria-label={`Revoke key ${key.name}`}
                onClick={() => setAsking({ what: 'revoke', key })}
              >
                <Trash2 aria-hidden size={16} />
                <span className="hidden sm:inline">Revoke</span>
              </Button>
            </li>
          ))}
        </ul>
      )}
      <Dialog
        open={asking !== null}
        onClose={() => setAsking(null)}
        title={asking?.what === 'rotate' ? 'Rotate this key?' : 'Revoke this key?'}
        actions={
          <>
            <Button onClick={() => setAsking(null)}>Keep it</Button>
            <Button
              look="primary"
              onClick={() => {
                if (asking?.what === 'rotate') rotate.mutate(asking.key.id);
                else if (asking) revoke.mutate(asking.key.id);
                setAsking(null);
              }}
            >
              {asking?.what === 'rotate' ? 'Rotate key' : 'Revoke key'}
            </Button>
          </>
        }
      >
        The old key stops working at once, and a stream that uses it stops.{' '}
        {asking?.what === 'rotate' && 'You get a new key under the same name.'}
      </Dialog>
    </div>
  );
}

const STEPS: [string, string][] = [
  ['Open Settings › Stream', 'OBS 30 or newer.'],
  ['Service: WHIP', 'Paste Server from above. Paste the stream key into Bearer Token.'],
  [
    'Settings › Output › Output Mode: Advanced',
    'Encoder x264 or your graphics card (H.264), Rate Control CBR, 2500 Kbps, Keyframe Interval 2 s.',
  ],
  ['In the same place: Profile high, Tune zerolatency', 'B-frames 0. Audio goes as Opus by itself.'],
  ['Settings › Video', 'Output resolution 1280x720, 30 frames a second.'],
  ['OK, then Start Streaming', 'The card "What arrives" tells within a second what the server receives.'],
];

function Steps() {
  return (
    <div>
      <h3 className="mb-3 text-sm font-medium">In OBS</h3>
      <ol className="flex flex-col gap-3.5">
        {STEPS.map(([title, text], index) => (
          <li key={title} className="flex gap-3.5">
            <span
              aria-hidden
              className="flex size-6 shrink-0 items-center justify-center rounded-full bg-surface-2 text-xs font-semibold text-ink-2 tabular-nums"
            >
              {index + 1}
            </span>
            <div className="text-sm">
              <p className="font-medium">{title}</p>
              <p className="mt-0.5 text-ink-2">{text}</p>
            </div>
          </li>
        ))}
      </ol>
    </div>
  );
}
