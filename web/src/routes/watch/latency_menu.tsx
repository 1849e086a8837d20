import { Menu } from '@base-ui/react/menu';
import type { RefObject } from 'react';
import type { Player } from '../../player/player';
import type { PlayerState } from '../../player/state';
import type { Choice } from '../../player/transport';
import { Entry, MenuPanel } from '../picture/menu_parts';
import { TransportName } from './transport_name';

const CHOICES: { choice: Choice; label: string; note: string }[] = [
  { choice: 'auto', label: 'Auto', note: 'the fastest that works' },
  { choice: 'instant', label: 'Instant', note: 'under a second' },
  { choice: 'low', label: 'Low latency', note: 'about 2 s' },
  { choice: 'stable', label: 'Stable', note: 'about 6 s' },
];

/** What plays, how late it is, and what the viewer wants of it. */
export default function LatencyMenu({
  player,
  state,
  container,
}: {
  player: Player;
  state: PlayerState;
  container: RefObject<HTMLElement | null>;
}) {
  const { channel, choice, notice } = state;
  const offered = channel?.hls?.state === 'ready';
  return (
    <Menu.Root>
      <Menu.Trigger
        title="Latency"
        className="flex h-11 min-w-0 items-center rounded-control px-1.5 text-sm transition-colors duration-150 hover:bg-white/15 data-popup-open:bg-white/15 sm:px-2.5"
      >
        <span className="sr-only">Latency: </span>
        <TransportName state={state} />
      </Menu.Trigger>
      <MenuPanel container={container} label="Latency" align="start">
        <Menu.RadioGroup value={choice} onValueChange={(value: Choice) => player.chooseLatency(value)}>
          {CHOICES.map((entry) => (
            <Entry
              key={entry.choice}
              value={entry.choice}
              label={entry.label}
              note={entry.note}
              disabled={!offered && (entry.choice === 'low' || entry.choice === 'stable')}
            />
          ))}
        </Menu.RadioGroup>
        {(notice || !offered) && (
          <p className="max-w-72 px-3 pt-1 pb-2 text-xs text-ink-3">
            {notice?.words ?? channel?.hls?.reason ?? 'Only the direct connection is offered right now.'}
          </p>
        )}
      </MenuPanel>
    </Menu.Root>
  );
}
