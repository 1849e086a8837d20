import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Download, FileVideo, Lock, Pencil, Trash2 } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { api } from '../../api/client';
import type { OwnChannel, Recording, RecordingEdit, Visibility } from '../../api/types';
import { Button, buttonClass } from '../../ui/button';
import { Card } from '../../ui/card';
import { Dialog } from '../../ui/dialog';
import { TextField, Toggle } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { Pill } from '../../ui/pill';
import { Spinner } from '../../ui/spinner';
import { sessionQuery } from '../account';
import { GateBadge } from '../gates/gate_badge';
import { NoAnswer } from '../no_answer';
import { RecordingPicture } from '../recordings/picture';
import { recordingsKey, useRecordings } from '../recordings/use_recordings';
import { dayWords, sizeWords } from '../recordings/words';

const GateDialog = lazy(() => import('../gates/recording_gate_dialog'));

const BUSY_EVERY_MS = 1500;
const EVERY_MS = 15_000;

/** Whether streams are kept, and what was kept. */
export function RecordingsCard({ channel }: { channel: OwnChannel }) {
  const { handle } = channel;
  const list = useRecordings(handle, (items) => (items.some(isBusy) ? BUSY_EVERY_MS : EVERY_MS));
  return (
    <Card title="Recordings" className="mt-4 lg:mt-6">
      <RecordSwitch channel={channel} />
      {!list.data && list.failureReason && (
        <div className="mt-4">
          <NoAnswer reason={list.failureReason.message} onRetry={() => void list.refetch()} />
        </div>
      )}
      {!list.data && !list.failureReason && (
        <p className="mt-4 flex items-center gap-3 text-sm text-ink-2">
          <Spinner size={16} /> Asking the server
        </p>
      )}
      {list.data && list.items.length === 0 && (
        <p className="mt-4 text-sm text-ink-2">
          {channel.record
            ? 'Nothing yet. Your next stream appears here as soon as it ends.'
            : 'Nothing is kept of your streams.'}
        </p>
      )}
      {list.items.length > 0 && (
        <ul className="mt-4">
          {list.items.map((recording) => (
            <Row key={recording.id} recording={recording} />
          ))}
        </ul>
      )}
      {list.hasNextPage && (
        <Button className="mt-4" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Show more
        </Button>
      )}
    </Card>
  );
}

function isBusy({ state, mp4 }: Recording): boolean {
  return state === 'recording' || mp4?.state === 'making';
}

function RecordSwitch({ channel }: { channel: OwnChannel }) {
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: (record: boolean) => api.setRecord(channel.handle, record),
    onSettled: () => queries.invalidateQueries({ queryKey: sessionQuery.queryKey }),
  });
  const wished = change.isPending ? change.variables : channel.record;
  return (
    <>
      <Toggle
        label="Record my streams"
        hint="From the next stream on. Viewers find public recordings on your page."
        checked={wished}
        disabled={change.isPending}
        onChange={(record) => change.mutate(record)}
      />
      {change.error && <Notice title="That did not work">{change.error.message}</Notice>}
    </>
  );
}

function Row({ recording }: { recording: Recording }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState<'rename' | 'gate' | 'delete' | null>(null);
  const { id, title, state } = recording;
  const changed = () => queries.invalidateQueries({ queryKey: recordingsKey(recording.channel) });
  const edit = useMutation({
    mutationFn: (body: RecordingEdit) => api.editRecording(id, body),
    onSettled: changed,
  });
  const remove = useMutation({ mutationFn: () => api.deleteRecording(id), onSettled: changed });
  const mp4 = useMutation({ mutationFn: () => api.makeMp4(id), onSettled: changed });
  const failure = edit.error ?? remove.error ?? mp4.error;
  return (
    <li className="border-t border-line py-4 first:border-t-0 first:pt-0 last:pb-0">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <div className="w-28 shrink-0 overflow-hidden rounded-control border border-line sm:w-36">
          <RecordingPicture recording={recording} />
        </div>
        <div className="min-w-0 flex-1 basis-40">
          {state === 'ready' ? (
            <Link to="/videos/$id" params={{ id }} className="block truncate font-medium hover:underline">
              {title}
            </Link>
          ) : (
            <p className="truncate font-medium">{title}</p>
          )}
          <p className="mt-0.5 flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-ink-3 tabular-nums">
            {dayWords(recording.started_at)} · {sizeWords(recording.size_bytes)}
            {state === 'recording' && (
              <Pill tone="live" dot>
                Recording
              </Pill>
            )}
            {state === 'failed' && <Pill tone="warn">Damaged</Pill>}
            <GateBadge gate={recording.gate} />
          </p>
        </div>
        <div className="flex flex-wrap items-center gap-2">
          <VisibilitySelect recording={recording} onChange={(visibility) => edit.mutate({ visibility })} />
          {state === 'ready' && (
            <Mp4 recording={recording} pending={mp4.isPending} onMake={() => mp4.mutate()} />
          )}
          <IconButton label={`Rename ${title}`} onClick={() => setAsking('rename')}>
            <Pencil aria-hidden size={18} />
          </IconButton>
          <IconButton label={`Choose who may watch ${title}`} onClick={() => setAsking('gate')}>
            <Lock aria-hidden size={18} />
          </IconButton>
          {state !== 'recording' && (
            <IconButton label={`Delete ${title}`} onClick={() => setAsking('delete')}>
              <Trash2 aria-hidden size={18} />
            </IconButton>
          )}
        </div>
      </div>
      {recording.mp4?.problem && recording.mp4.state === 'failed' && (
        <p className="mt-2 text-sm text-warn-text">The MP4 could not be made: {recording.mp4.problem}</p>
      )}
      {failure && (
        <div className="mt-3">
          <Notice title="That did not work">{failure.message}</Notice>
        </div>
      )}
      {asking === 'rename' && (
        <Rename
          title={title}
          onClose={() => setAsking(null)}
          onDone={(renamed) => {
            setAsking(null);
            edit.mutate({ title: renamed });
          }}
        />
      )}
      {asking === 'gate' && (
        <Suspense fallback={null}>
          <GateDialog recording={recording} onClose={() => setAsking(null)} onDone={changed} />
        </Suspense>
      )}
      <Dialog
        open={asking === 'delete'}
        onClose={() => setAsking(null)}
        title="Delete this recording?"
        actions={
          <>
            <Button onClick={() => setAsking(null)}>Keep it</Button>
            <Button
              look="warn"
              onClick={() => {
                setAsking(null);
                remove.mutate();
              }}
            >
              Delete for ever
            </Button>
          </>
        }
      >
        “{title}” and its MP4 are removed from the server. Nobody can bring them back.
      </Dialog>
    </li>
  );
}

function VisibilitySelect({
  recording,
  onChange,
}: {
  recording: Recording;
  onChange: (visibility: Visibility) => void;
}) {
  return (
    <select
      aria-label={`Who may watch ${recording.title}`}
      value={recording.visibility}
      onChange={(event) => onChange(event.target.value as Visibility)}
      className="min-h-11 rounded-control border border-line bg-surface-1 px-3 text-sm"
    >
      <option value="public">Public</option>
      <option value="unlisted">Unlisted</option>
      <option value="private">Private</option>
    </select>
  );
}

/** From nothing over its progress to the download. */
function Mp4({ recording, pending, onMake }: { recording: Recording; pending: boolean; onMake: () => void }) {
  const { mp4, title } = recording;
  if (mp4?.state === 'ready' && mp4.url) {
    return (
      <a href={mp4.url} download className={buttonClass('secondary')} aria-label={`Download MP4 of ${title}`}>
        <Download aria-hidden size={16} />
        MP4{mp4.size_bytes != null && ` · ${sizeWords(mp4.size_bytes)}`}
      </a>
    );
  }
  if (mp4?.state === 'making') {
    return (
      <div className="flex min-h-11 items-center gap-2.5 px-1 text-sm text-ink-2 tabular-nums">
        <progress
          aria-label={`Making the MP4 of ${title}`}
          max={100}
          value={mp4.progress}
          className="progress-slim w-20"
        />
        MP4 {mp4.progress} %
      </div>
    );
  }
  return (
    <Button onClick={onMake} disabled={pending} aria-label={`Make an MP4 of ${title}`}>
      <FileVideo aria-hidden size={16} />
      Make MP4
    </Button>
  );
}

function Rename({
  title,
  onClose,
  onDone,
}: {
  title: string;
  onClose: () => void;
  onDone: (title: string) => void;
}) {
  const [name, setName] = useState(title);
  return (
    <Dialog open onClose={onClose} title="Rename the recording">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) onDone(name.trim());
        }}
      >
        <TextField
          label="Title"
          value={name}
          maxLength={200}
          required
          onChange={(event) => setName(event.target.value)}
        />
        <div className="mt-6 flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={!name.trim()}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function IconButton({
  label,
  onClick,
  children,
}: {
  label: string;
  onClick: () => void;
  children: React.ReactNode;
}) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      onClick={onClick}
      className="flex size-11 items-center justify-center rounded-control text-ink-2 hover:bg-surface-2 hover:text-ink"
    >
      {children}
    </button>
  );
}
