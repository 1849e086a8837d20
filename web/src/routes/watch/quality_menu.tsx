import { Menu } from '@base-ui/react/menu';
import { Activity, Check, Settings2 } from 'lucide-react';
import type { RefObject } from 'react';
import { layerName, resolutionName } from '../../player/layers';
import type { Player, PlayerState } from '../../player/player';

const AUTO = 'auto';

/** Auto and every layer by its real name. */
export default function QualityMenu({
  player,
  state,
  container,
  onStats,
}: {
  player: Player;
  state: PlayerState;
  container: RefObject<HTMLElement | null>;
  onStats: () => void;
}) {
  const { layers, pinned, stats } = state;
  const entries = layers?.layers ?? [];
  const showing = resolutionName(stats?.width ?? null, stats?.height ?? null, stats?.fps ?? null);
  const choosable = entries.length > 1;
  return (
    <Menu.Root>
      <Menu.Trigger
        aria-label={`Quality: ${pinned === null ? 'Auto' : 'fixed'}${showing ? `, now ${showing}` : ''}`}
        title="Quality"
        className="flex h-11 min-w-11 items-center justify-center gap-2 rounded-control px-2.5 text-sm font-semibold text-ink tabular-nums transition-colors duration-150 hover:bg-white/15 data-popup-open:bg-white/15"
      >
        <Settings2 aria-hidden size={20} />
        {showing && <span>{showing}</span>}
      </Menu.Trigger>
      <Menu.Portal container={document.fullscreenElement ? container : undefined}>
        <Menu.Positioner side="top" align="end" sideOffset={8} collisionPadding={8} className="z-40">
          <Menu.Popup className="on-video min-w-60 rounded-card border border-line bg-surface-1 p-1.5 text-ink shadow-panel outline-none">
            <Menu.Group>
              <Menu.GroupLabel className="px-3 pt-2 pb-1.5 text-xs font-semibold text-ink-3">
                Quality
              </Menu.GroupLabel>
              <Menu.RadioGroup
                value={pinned ?? AUTO}
                onValueChange={(value: string) => void player.chooseLayer(value === AUTO ? null : value)}
              >
                <Entry value={AUTO} label={pinned === null && showing ? `Auto · ${showing}` : 'Auto'} />
                {entries.map((layer) => (
                  <Entry
                    key={layer.rid}
                    value={layer.rid}
                    label={layerName(layer)}
                    disabled={!choosable || !layer.active}
                    note={layer.active ? null : 'paused'}
                  />
                ))}
              </Menu.RadioGroup>
            </Menu.Group>
            {!choosable && (
              <p className="max-w-60 px-3 pt-1 pb-2 text-xs text-ink-3">
                {entries.length === 1
                  ? 'The host sends one quality.'
                  : 'The host has not told the qualities yet.'}
              </p>
            )}
            <Menu.Separator className="mx-2 my-1.5 h-px bg-line" />
            <Menu.Item
              onClick={onStats}
              className="flex min-h-11 cursor-pointer items-center gap-3 rounded-lg pr-4 pl-3 text-sm outline-none data-highlighted:bg-surface-2"
            >
              <Activity aria-hidden size={16} className="text-ink-2" />
              Statistics
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}

function Entry({
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
      {note && <span className="ml-auto text-xs text-ink-3">{note}</span>}
    </Menu.RadioItem>
  );
}
