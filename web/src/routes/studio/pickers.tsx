import { Camera, Mic } from 'lucide-react';
import { QUALITIES, qualityById, sendableCodecs } from '../../publisher/encodings';
import type { SourceKind } from '../../publisher/faults';
import type { Sources, SourcesState } from '../../publisher/sources';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { SelectField, Toggle } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { Meter } from './meter';
import type { Settings } from './settings';

const NONE = 'none';
const STEPS = ['Frugal', 'Standard', 'Rich'] as const;

/** Devices can change on air; what is sent, only before. */
export function Pickers({
  sources,
  media,
  settings,
  onAir,
  onSettings,
}: {
  sources: Sources;
  media: SourcesState;
  settings: Settings;
  onAir: boolean;
  onSettings: (patch: Partial<Settings>) => void;
}) {
  const quality = qualityById(settings.quality);
  const retry = (kind: SourceKind) => {
    if (kind === 'camera') void sources.chooseCamera(media.cameraId ?? '');
    else if (kind === 'microphone') void sources.chooseMicrophone(media.microphoneId ?? '');
    else void sources.shareScreen();
  };
  const smaller =
    media.picture === 'camera' &&
    media.size &&
    Math.min(media.size.height, media.size.width) < quality.height;
  return (
    <>
      <Card title="Picture and sound">
        <div className="flex flex-col gap-4">
          {Object.entries(media.faults).map(([kind, fault]) => (
            <Notice
              key={kind}
              title={fault.title}
              action={
                fault.cause !== 'insecure' && (
                  <Button size="sm" onClick={() => retry(kind as SourceKind)}>
                    Try again
                  </Button>
                )
              }
            >
              {fault.help}
            </Notice>
          ))}
          {media.asked && !media.devicesAsked && (
            <div className="flex flex-col items-start gap-3 rounded-control border border-line bg-surface-2 p-3.5 text-sm">
              <p>You share your screen only: nobody hears you.</p>
              <Button size="sm" onClick={() => void sources.open()}>
                Turn on camera and microphone
              </Button>
            </div>
          )}
          <SelectField
            label="Camera"
            icon={<Camera size={18} />}
            value={media.cameraId ?? NONE}
            disabled={!media.devicesAsked}
            hint={smaller ? `This camera gives ${media.size?.width}×${media.size?.height}.` : undefined}
            onChange={(event) =>
              void sources.chooseCamera(event.target.value === NONE ? null : event.target.value)
            }
          >
            {media.cameras.map(({ id, label }) => (
              <option key={id} value={id}>
                {label}
              </option>
            ))}
            <option value={NONE}>No camera</option>
          </SelectField>
          <div>
            <SelectField
              label="Microphone"
              icon={<Mic size={18} />}
              value={media.microphoneId ?? NONE}
              disabled={!media.devicesAsked}
              onChange={(event) =>
                void sources.chooseMicrophone(event.target.value === NONE ? null : event.target.value)
              }
            >
              {media.microphones.map(({ id, label }) => (
                <option key={id} value={id}>
                  {label}
                </option>
              ))}
              <option value={NONE}>No microphone</option>
            </SelectField>
            {media.devicesAsked && (
              <div className="mt-3">
                <Meter
                  meter={sources.meter}
                  muted={!media.microphoneOn}
                  present={media.microphoneId !== null}
                />
              </div>
            )}
          </div>
          <Toggle
            label="Clean up speech"
            hint="Takes out echo and noise. Off for music."
            checked={!media.rawSound}
            onChange={(clean) => void sources.setRawSound(!clean)}
          />
        </div>
      </Card>
      <Card title="Quality">
        <div className="flex flex-col gap-4 sm:flex-row lg:flex-col *:flex-1">
          <SelectField
            label="Resolution"
            value={settings.quality}
            disabled={onAir}
            onChange={(event) => onSettings({ quality: event.target.value })}
          >
            {QUALITIES.map(({ id, label }) => (
              <option key={id} value={id}>
                {label}
              </option>
            ))}
          </SelectField>
          <SelectField
            label="Bitrate"
            value={settings.step}
            disabled={onAir}
            onChange={(event) => onSettings({ step: Number(event.target.value) as Settings['step'] })}
          >
            {quality.bitrates.map((bitrate, step) => (
              <option key={bitrate} value={step}>
                {STEPS[step]}, {(bitrate / 1e6).toFixed(1)} Mbit/s
              </option>
            ))}
          </SelectField>
        </div>
        <details className="mt-3 group">
          <summary className="flex min-h-11 items-center text-sm font-medium text-ink-2 hover:text-ink">
            Advanced
          </summary>
          <div className="mt-2 flex flex-col gap-4">
            <SelectField
              label="Codec"
              value={settings.codec ?? ''}
              disabled={onAir}
              hint="H264 plays everywhere. Change it only when you know why."
              onChange={(event) => onSettings({ codec: event.target.value || null })}
            >
              <option value="">Automatic (H264 first)</option>
              {sendableCodecs().map((name) => (
                <option key={name} value={name.toUpperCase()}>
                  {name}
                </option>
              ))}
            </SelectField>
            <Toggle
              label="Send several sizes"
              hint="Viewers on slow networks get a smaller picture instead of a frozen one."
              checked={settings.simulcast}
              disabled={onAir}
              onChange={(simulcast) => onSettings({ simulcast })}
            />
          </div>
        </details>
        {onAir && <p className="mt-3 text-sm text-ink-3">End the stream to change these.</p>}
      </Card>
    </>
  );
}
