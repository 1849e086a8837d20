/** How one may write: each change counts at once. */
import { useMutation } from '@tanstack/react-query';
import { chatApi } from '../../api/chat';
import type { Modes } from '../../chat/protocol';
import { minutesWords } from '../../chat/standing';
import { SelectField, Toggle } from '../../ui/field';

const SLOW = [0, 3, 5, 10, 30, 60, 120, 300];
const FOLLOWED = [0, 10, 60, 1440, 10_080, 43_200];
const HOLD = ['Nothing', 'The worst', 'What is doubtful', 'All that could offend'];

/** With what is set beside what is offered. */
const offered = (values: readonly number[], now: number): number[] =>
  values.includes(now) ? [...values] : [...values, now].sort((a, b) => a - b);

export function ModesEditor({
  handle,
  modes,
  onChanged,
}: {
  handle: string;
  modes: Modes;
  onChanged?: (modes: Modes) => void;
}) {
  const change = useMutation({
    mutationFn: (patch: Partial<Modes>) => chatApi.setModes(handle, patch),
    onSuccess: (next) => onChanged?.(next),
  });
  const toggle = (name: 'guests' | 'members_only' | 'emote_only' | 'unique_only' | 'links_blocked') => ({
    checked: modes[name],
    disabled: change.isPending,
    onChange: (on: boolean) => change.mutate({ [name]: on }),
  });
  const followers = modes.followers_minutes;
  return (
    <div className="flex flex-col gap-3">
      <SelectField
        label="Slow mode"
        value={modes.slow_seconds}
        onChange={({ target }) => change.mutate({ slow_seconds: Number(target.value) })}
      >
        {offered(SLOW, modes.slow_seconds).map((seconds) => (
          <option key={seconds} value={seconds}>
            {seconds === 0 ? 'Off' : `One message in ${seconds} s`}
          </option>
        ))}
      </SelectField>
      <SelectField
        label="Followers only"
        value={followers ?? 'off'}
        onChange={({ target }) =>
          change.mutate({ followers_minutes: target.value === 'off' ? null : Number(target.value) })
        }
      >
        <option value="off">Off</option>
        {offered(FOLLOWED, followers ?? 0).map((minutes) => (
          <option key={minutes} value={minutes}>
            {minutes === 0 ? 'All who follow' : `Who has followed for ${minutesWords(minutes)}`}
          </option>
        ))}
      </SelectField>
      <Toggle label="Guests may write" hint="Without an account" {...toggle('guests')} />
      <Toggle label="Members only" {...toggle('members_only')} />
      <Toggle label="Emotes only" {...toggle('emote_only')} />
      <Toggle label="Unique messages" hint="Nothing twice" {...toggle('unique_only')} />
      <Toggle label="Block links" {...toggle('links_blocked')} />
      <SelectField
        label="Held for a moderator"
        hint="What is held is shown when you approve it."
        value={modes.hold_level}
        onChange={({ target }) => change.mutate({ hold_level: Number(target.value) })}
      >
        {HOLD.map((label, level) => (
          <option key={label} value={level}>
            {label}
          </option>
        ))}
      </SelectField>
      {change.error && (
        <p role="alert" className="text-sm text-warn-text">
          {change.error.message}
        </p>
      )}
    </div>
  );
}
