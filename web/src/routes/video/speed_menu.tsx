import { Menu } from '@base-ui/react/menu';
import type { RefObject } from 'react';
import { RATES } from '../../player/recording';
import { Entry, MenuPanel } from '../picture/menu_parts';

export default function SpeedMenu({
  rate,
  container,
  onChoose,
}: {
  rate: number;
  container: RefObject<HTMLElement | null>;
  onChoose: (rate: number) => void;
}) {
  return (
    <Menu.Root>
      <Menu.Trigger
        aria-label={`Speed: ${rate}×`}
        title="Speed (< and >)"
        className="flex h-11 min-w-11 items-center justify-center rounded-control px-2 text-sm font-semibold text-ink tabular-nums transition-colors duration-150 hover:bg-white/15 data-popup-open:bg-white/15"
      >
        {rate}×
      </Menu.Trigger>
      <MenuPanel container={container} label="Speed" align="end">
        <Menu.RadioGroup value={String(rate)} onValueChange={(value: string) => onChoose(Number(value))}>
          {RATES.map((each) => (
            <Entry key={each} value={String(each)} label={each === 1 ? 'As it happened' : `${each}×`} />
          ))}
        </Menu.RadioGroup>
      </MenuPanel>
    </Menu.Root>
  );
}
