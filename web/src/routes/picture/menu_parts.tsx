/** What the menus on the video have in common. */
import { Menu } from '@base-ui/react/menu';
import { Check } from 'lucide-react';
import type { ReactNode, RefObject } from 'react';

export function MenuPanel({
  container,
  label,
  align,
  children,
  after,
}: {
  container: RefObject<HTMLElement | null>;
  label: string;
  align: 'start' | 'end';
  /** The choices under the label. */
  children: ReactNode;
  after?: ReactNode;
}) {
  return (
    <Menu.Portal container={document.fullscreenElement ? container : undefined}>
      <Menu.Positioner side="top" align={align} sideOffset={8} collisionPadding={8} className="z-40">
        <Menu.Popup className="on-video min-w-60 rounded-card border border-line bg-surface-1 p-1.5 text-ink shadow-panel outline-none">
          <Menu.Group>
            <Menu.GroupLabel className="px-3 pt-2 pb-1.5 text-xs font-semibold text-ink-3">
              {label}
            </Menu.GroupLabel>
            {children}
          </Menu.Group>
          {after}
        </Menu.Popup>
      </Menu.Positioner>
    </Menu.Portal>
  );
}

export function Entry({
  value,
  label,
  disabled = false,
  note,
}: {
  value: string;
  label: string;
  disabled?: boolean;
  note?: string | null;
}) {
  return (
    <Menu.RadioItem
      value={value}
      disabled={disabled}
      closeOnClick
      className="flex min-h-11 cursor-pointer items-center gap-3 rounded-lg pr-4 pl-3 text-sm tabular-nums outline-none data-checked:font-semibold data-disabled:cursor-default data-disabled:text-ink-3 data-highlighted:bg-surface-2"
    >
      <span aria-hidden className="flex size-4 items-center">
        <Menu.RadioItemIndicator>
          <Check size={16} />
        </Menu.RadioItemIndicator>
      </span>
      {label}
      {note && <span className="ml-auto pl-4 text-xs font-normal text-ink-3">{note}</span>}
    </Menu.RadioItem>
  );
}

export const MENU_ITEM =
  'flex min-h-11 cursor-pointer items-center gap-3 rounded-lg pr-4 pl-3 text-sm outline-none data-highlighted:bg-surface-2';
