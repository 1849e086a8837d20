/** What viewers are told of the stream that is on air, or comes next: for the studio and beside OBS. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { CalendarClock, Eye, EyeOff } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { type Stream, type StreamEdit, streamsApi } from '../../api/streams';
import { gatedEdit, gateFormOf } from '../../gates/form';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { Toggle } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { Pill } from '../../ui/pill';
import { GatePicker, isOfGate } from '../gates/gate_picker';
import { type Details, DetailsFields, detailsEdit, detailsOf, NO_DETAILS } from './details_fields';
import { ThumbnailField } from './thumbnail_field';
import { type Standing, streamsKey, useStanding } from './use_streams';
import { whenWords } from './words';

/** Writes down what a form says of a stream that is to come. */
export type Unsaved = (() => Promise<unknown>) | null;

export function AboutCard({
  handle,
  onUnsaved = nobody,
}: {
  handle: string;
  /** Told how to save what is not saved yet, before the stream begins. */
  onUnsaved?: (save: Unsaved) => void;
}) {
  const { data } = useStanding(handle);
  if (!data) return null;
  const stream = data.live ?? data.awaited;
  // What is on air is another form than what comes next: nothing that is half-written moves over.
  return <About key={stream?.id ?? 'new'} handle={handle} standing={data} onUnsaved={onUnsaved} />;
}

function About({
  handle,
  standing,
  onUnsaved,
}: {
  handle: string;
  standing: Standing;
  onUnsaved: (save: Unsaved) => void;
}) {
  const { live, awaited, last } = standing;
  const stream = live ?? awaited;
  const known = stream ?? last;
  const [details, setDetails] = useState(() => (known ? detailsOf(known) : NO_DETAILS));
  const [button, setButton] = useState(known?.publish_at_button ?? false);
  const [gate, setGate] = useState(() => gateFormOf(known));
  const [saved, setSaved] = useState(false);
  const [changed, setChanged] = useState(false);
  const queries = useQueryClient();
  const refresh = () => queries.invalidateQueries({ queryKey: streamsKey(handle) });
  const save = useMutation({
    mutationFn: () => {
      const body: StreamEdit = { ...detailsEdit(details), ...gatedEdit(gate), publish_at_button: button };
      return stream ? streamsApi.edit(stream.id, body) : streamsApi.create(handle, body);
    },
    onSuccess: async () => {
      setSaved(true);
      setChanged(false);
      setGate((now) => ({ ...now, password: '' }));
      await refresh();
    },
  });
  useEffect(() => {
    if (!saved) return;
    const timer = setTimeout(() => setSaved(false), SAVED_MS);
    return () => clearTimeout(timer);
  }, [saved]);
  const touch = () => {
    setSaved(false);
    setChanged(true);
  };
  const change = (next: Details) => {
    touch();
    setDetails(next);
  };
  const latest = useRef(save.mutateAsync);
  useEffect(() => {
    latest.current = save.mutateAsync;
  });
  const isOpen = changed && !live;
  useEffect(() => {
    onUnsaved(isOpen ? () => latest.current() : null);
    return () => onUnsaved(null);
  }, [onUnsaved, isOpen]);
  return (
    <Card title="About this stream" aside={<State stream={stream} />}>
      <form
        aria-label="About this stream"
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Which live={live} awaited={awaited} />
        {live?.is_preview && <Publish stream={live} onDone={() => void refresh()} />}
        <DetailsFields details={details} onChange={change} />
        <GatePicker
          handle={handle}
          stream={stream?.id ?? null}
          form={gate}
          onChange={(next) => {
            touch();
            setGate(next);
          }}
          error={save.error}
          hasPassword={stream?.gate.who === 'password'}
        />
        {stream && <ThumbnailField stream={stream} onChanged={refresh} />}
        {!live && (
          <Toggle
            label="Preview, then publish"
            hint="On air, only you see it until you press Publish."
            checked={button}
            onChange={(next) => {
              touch();
              setButton(next);
            }}
          />
        )}
        {save.error && !isOfGate(save.error) && (
          <Notice title="That did not work">{save.error.message}</Notice>
        )}
        <div className="flex items-center justify-end gap-3">
          <span role="status" className="text-sm text-ink-3">
            {saved && (live ? 'Viewers see it now.' : 'Saved.')}
          </span>
          <Button type="submit" disabled={save.isPending}>
            {live ? 'Update' : stream ? 'Save' : 'Prepare'}
          </Button>
        </div>
      </form>
    </Card>
  );
}

function State({ stream }: { stream: Stream | null }) {
  if (!stream) return null;
  if (stream.state === 'live')
    // That it is live stands on the page already, where it is known to be so still.
    return stream.is_preview ? <Pill tone="preview">Preview</Pill> : null;
  return <Pill tone="preview">{stream.state === 'preparing' ? 'Prepared' : 'Scheduled'}</Pill>;
}

/** Which stream these words are of. */
function Which({ live, awaited }: Pick<Standing, 'live' | 'awaited'>) {
  if (live) return null;
  if (awaited?.scheduled_at) {
    return (
      <p className="flex items-start gap-2 text-sm text-ink-2">
        <CalendarClock aria-hidden size={18} className="mt-px shrink-0 text-preview-text" />
        Whoever goes live now takes the stream that is planned for {whenWords(awaited.scheduled_at)}.
      </p>
    );
  }
  return (
    <p className="text-sm text-ink-2">
      {awaited?.preparing_until
        ? `It waits for your studio or encoder until ${whenWords(awaited.preparing_until)}.`
        : 'The next stream is of the same title as the last, unless you prepare another.'}
    </p>
  );
}

/** Green until it is pressed: then the page turns red. */
function Publish({ stream, onDone }: { stream: Stream; onDone: () => void }) {
  const publish = useMutation({ mutationFn: () => streamsApi.publish(stream.id), onSettled: onDone });
  return (
    <div className="flex flex-col gap-3 rounded-control border border-preview bg-surface-2 p-3.5">
      <p className="flex items-start gap-2 text-sm">
        <EyeOff aria-hidden size={18} className="mt-px shrink-0 text-preview-text" />
        Nobody is told of it yet. Look at your page, then publish.
      </p>
      <Button look="preview" disabled={publish.isPending} onClick={() => publish.mutate()}>
        <Eye aria-hidden size={18} />
        Publish
      </Button>
      {publish.error && <Notice title="That did not work">{publish.error.message}</Notice>}
    </div>
  );
}

const SAVED_MS = 4000;

function nobody(): void {}
