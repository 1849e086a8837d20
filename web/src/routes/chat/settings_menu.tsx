import { Popover } from '@base-ui/react/popover';
import { Settings2 } from 'lucide-react';
import { type Preferences, prefer } from '../../chat/preferences';
import { SelectField, Toggle } from '../../ui/field';
import { HEAD_BUTTON } from './head_button';
import { usePreferences } from './use_chat';

/** How chat is shown on this browser. */
export default function SettingsMenu() {
  const { sync, announce, times, size } = usePreferences();
  return (
    <Popover.Root>
      <Popover.Trigger aria-label="Chat settings" title="Chat settings" className={HEAD_BUTTON}>
        <Settings2 aria-hidden size={17} />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner
          positionMethod="fixed"
          side="bottom"
          align="end"
          sideOffset={6}
          collisionPadding={8}
          className="z-50"
        >
          <Popover.Popup className="flex w-72 flex-col gap-3 rounded-card border border-line bg-surface-1 p-4 text-ink shadow-panel outline-none">
            <Popover.Title className="text-sm font-semibold">Chat settings</Popover.Title>
            <Toggle
              label="In step with the video"
              hint="Messages wait until your picture is as far"
              checked={sync}
              onChange={(on) => prefer({ sync: on })}
            />
            <Toggle label="Time stamps" checked={times} onChange={(on) => prefer({ times: on })} />
            <SelectField
              label="Text size"
              value={size}
              onChange={({ target }) => prefer({ size: target.value as Preferences['size'] })}
            >
              <option value="small">Small</option>
              <option value="medium">Medium</option>
              <option value="large">Large</option>
            </SelectField>
            <SelectField
              label="Read out to screen readers"
              value={announce}
              onChange={({ target }) => prefer({ announce: target.value as Preferences['announce'] })}
            >
              <option value="off">Nothing</option>
              <option value="mentions">Where you are mentioned</option>
              <option value="all">Everything, a line every two seconds</option>
            </SelectField>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}
