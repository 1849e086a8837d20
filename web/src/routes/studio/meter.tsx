import { useSyncExternalStore } from 'react';
import type { LevelMeter } from '../../publisher/level';

/** How loud you are. Quiet words below tell what the bar means when it means trouble. */
export function Meter({ meter, muted, present }: { meter: LevelMeter; muted: boolean; present: boolean }) {
  const { level, peak, clipping, silent } = useSyncExternalStore(meter.store.subscribe, meter.store.get);
  const words = !present
    ? null
    : muted
      ? 'Muted. Viewers hear nothing.'
      : clipping
        ? 'Too loud: it clips. Turn the microphone down or move away.'
        : silent
          ? 'We hear nothing. Check the microphone, its switch and the picker above.'
          : null;
  return (
    <div>
      {/* biome-ignore lint/a11y/useSemanticElements: the native element cannot show a peak mark */}
      <div
        role="meter"
        aria-label="Microphone level"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(level * 100)}
        className="relative h-2.5 overflow-hidden rounded-full bg-surface-3"
      >
        <div
          className={`h-full origin-left rounded-full ${clipping ? 'bg-warn' : 'bg-ink'}`}
          style={{ width: `${muted ? 0 : level * 100}%` }}
        />
        <div
          className={`absolute inset-y-0 w-0.5 ${peak > 0.95 ? 'bg-warn' : 'bg-ink-2'} ${peak > 0.01 && !muted ? '' : 'hidden'}`}
          style={{ left: `calc(${Math.min(peak, 0.995) * 100}% - 2px)` }}
        />
      </div>
      <p
        role="status"
        className={`mt-2 min-h-5 text-sm ${words && !muted ? 'text-warn-text' : 'text-ink-3'}`}
      >
        {words ??
          (present ? 'Speak: the bar should pass the middle.' : 'No microphone: viewers hear nothing.')}
      </p>
    </div>
  );
}
