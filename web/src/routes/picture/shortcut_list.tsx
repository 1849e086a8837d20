import type { RefObject } from 'react';
import { Dialog } from '../../ui/dialog';

type Keys = [string[], string];

const LIVE: Keys[] = [
  [['End', '.'], 'Live edge'],
  [['Shift+S'], 'Statistics'],
];

const RECORDING: Keys[] = [[['<', '>'], 'Slower, faster']];

const COMMON: Keys[] = [
  [['Space', 'K'], 'Play, pause'],
  [['M'], 'Mute'],
  [['↑', '↓'], 'Volume'],
  [['←', '→'], 'Back, forward 5 s'],
  [['J', 'L'], 'Back, forward 10 s'],
  [['F'], 'Full screen'],
  [['T'], 'Theater'],
  [['I'], 'Picture in picture'],
];

const LAST: Keys[] = [
  [['?'], 'This list'],
  [['Esc'], 'Close'],
];

export default function ShortcutList({
  container,
  recording = false,
  onClose,
}: {
  container: RefObject<HTMLElement | null>;
  /** Of a recording, not of a live stream. */
  recording?: boolean;
  onClose: () => void;
}) {
  return (
    <Dialog open container={container} onClose={onClose} title="Keyboard shortcuts">
      <dl className="grid grid-cols-[1fr_auto] gap-y-2.5">
        {[...COMMON, ...(recording ? RECORDING : LIVE), ...LAST].map(([keys, meaning]) => (
          <div key={meaning} className="col-span-2 grid grid-cols-subgrid items-center">
            <dt>{meaning}</dt>
            <dd className="flex justify-end gap-1.5">
              {keys.map((key) => (
                <kbd
                  key={key}
                  className="min-w-7 rounded-md border border-line bg-surface-2 px-2 py-1 text-center font-sans text-xs font-semibold text-ink"
                >
                  {key}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
