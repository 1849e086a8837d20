import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Stream, type StreamEdit, streamsApi } from '../../api/streams';
import { gatedEdit, gateFormOf } from '../../gates/form';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { SelectField, TextField, Toggle } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { GatePicker, isOfGate } from '../gates/gate_picker';
import { DetailsFields, detailsEdit, detailsOf, NO_DETAILS } from './details_fields';
import { streamsKey } from './use_streams';
import { ownZone, wallClock } from './words';

type Settings = NonNullable<StreamEdit['settings']>;

/** Plans a stream, or changes one that is planned. */
export default function PlanDialog({
  handle,
  stream,
  onClose,
}: {
  handle: string;
  /** None: a new one. */
  stream: Stream | null;
  onClose: () => void;
}) {
  const queries = useQueryClient();
  const [details, setDetails] = useState(stream ? detailsOf(stream) : NO_DETAILS);
  const [zone, setZone] = useState(stream?.time_zone ?? ownZone());
  const [at, setAt] = useState(() => wallClock(stream?.scheduled_at ?? nextFullHour(), zone));
  const [visibility, setVisibility] = useState(stream?.visibility ?? null);
  const [gate, setGate] = useState(() => gateFormOf(stream));
  const [button, setButton] = useState(stream?.publish_at_button ?? false);
  const [settings, setSettings] = useState<Settings>(stream?.settings ?? {});
  const save = useMutation({
    mutationFn: () => {
      const body: StreamEdit = {
        ...detailsEdit(details),
        ...gatedEdit(gate),
        visibility,
        publish_at_button: button,
        scheduled_at: at,
        time_zone: zone,
        settings,
      };
      return stream ? streamsApi.edit(stream.id, body) : streamsApi.create(handle, body);
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: streamsKey(handle) });
      onClose();
    },
  });
  return (
    <Dialog open onClose={onClose} title={stream ? 'Edit the planned stream' : 'Plan a stream'}>
      <form
        className="flex flex-col gap-4 text-ink"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <DetailsFields details={details} onChange={setDetails} whole />
        <div className="grid gap-4 sm:grid-cols-[1.35fr_1fr]">
          <TextField
            label="Date and time"
            type="datetime-local"
            required
            value={at}
            onChange={(event) => setAt(event.target.value)}
          />
          <SelectField label="Time zone" value={zone} onChange={(event) => setZone(event.target.value)}>
            {zones(zone).map((name) => (
              <option key={name} value={name}>
                {name.replaceAll('_', ' ')}
              </option>
            ))}
          </SelectField>
        </div>
        <SelectField
          label="Who is told"
          value={visibility ?? ''}
          onChange={(event) =>
            setVisibility(event.target.value === '' ? null : (event.target.value as 'public' | 'unlisted'))
          }
        >
          <option value="">As my channel</option>
          <option value="public">Everybody</option>
          <option value="unlisted">Only people with the link</option>
        </SelectField>
        <GatePicker
          handle={handle}
          stream={stream?.id ?? null}
          form={gate}
          onChange={setGate}
          error={save.error}
          hasPassword={stream?.gate.who === 'password'}
        />
        <Toggle
          label="Preview, then publish"
          hint="On air, only you see it until you press Publish."
          checked={button}
          onChange={setButton}
        />
        <MoreSettings settings={settings} onChange={setSettings} />
        {save.error && !isOfGate(save.error) && (
          <Notice title="That did not work">{save.error.message}</Notice>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" look="preview" disabled={save.isPending || at === ''}>
            {stream ? 'Save' : 'Plan it'}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function MoreSettings({ settings, onChange }: { settings: Settings; onChange: (next: Settings) => void }) {
  const change = (patch: Settings) => onChange({ ...settings, ...patch });
  return (
    <details>
      <summary className="flex min-h-11 items-center text-sm font-medium text-ink-2 hover:text-ink">
        More settings
      </summary>
      <div className="mt-2 grid gap-4 sm:grid-cols-2">
        <SelectField
          label="Recording"
          value={settings.record == null ? '' : String(settings.record)}
          onChange={(event) =>
            change({ record: event.target.value === '' ? null : event.target.value === 'true' })
          }
        >
          <option value="">As my channel</option>
          <option value="true">Keep it</option>
          <option value="false">Keep nothing</option>
        </SelectField>
        <SelectField
          label="Players begin with"
          value={settings.latency ?? 'instant'}
          onChange={(event) => change({ latency: event.target.value as NonNullable<Settings['latency']> })}
        >
          <option value="instant">Instant, under a second</option>
          <option value="low">Low latency, about 2 s</option>
          <option value="stable">Stable, about 6 s</option>
        </SelectField>
        <SelectField
          label="Chat"
          value={settings.chat ?? 'on'}
          onChange={(event) => change({ chat: event.target.value as NonNullable<Settings['chat']> })}
        >
          <option value="on">Everybody who is signed in</option>
          <option value="followers">Followers</option>
          <option value="off">Nobody</option>
        </SelectField>
        <SelectField
          label="Sizes from the studio"
          value={settings.max_layers ?? ''}
          onChange={(event) => change({ max_layers: Number(event.target.value) || null })}
        >
          <option value="">As many as fit</option>
          <option value="1">One</option>
          <option value="2">Two</option>
        </SelectField>
        <TextField
          label="Highest bitrate (kbit/s)"
          type="number"
          min={200}
          max={100_000}
          step={100}
          placeholder="No limit"
          value={settings.max_bitrate_kbps ?? ''}
          onChange={(event) => change({ max_bitrate_kbps: Number(event.target.value) || null })}
        />
      </div>
    </details>
  );
}

function nextFullHour(): string {
  const hour = 3_600_000;
  return new Date((Math.floor(Date.now() / hour) + 2) * hour).toISOString();
}

/** All that the browser knows, and the one that is chosen. */
function zones(chosen: string): string[] {
  const known = Intl.supportedValuesOf('timeZone');
  return [...new Set([chosen, 'UTC', ...known])];
}
