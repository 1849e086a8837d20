import { Menu } from '@base-ui/react/menu';
import { Activity, PictureInPicture2, Settings2 } from 'lucide-react';
import type { RefObject } from 'react';
import { layerName, resolutionName } from '../../player/layers';
import type { Quality } from '../../player/quality';
import type { PlayerStats } from '../../player/stats';
import { Entry, MENU_ITEM, MenuPanel } from './menu_parts';

const AUTO = 'auto';

/** Auto, every layer by its real name, and sound alone; the same list on every transport. */
export default function QualityMenu({
  qualities,
  pinned,
  stats,
  container,
  onChoose,
  onStats,
  onPip,
}: {
  qualities: readonly Quality[];
  pinned: string | null;
  stats: PlayerStats | null;
  container: RefObject<HTMLElement | null>;
  onChoose: (id: string | null) => void;
  onStats?: () => void;
  onPip: () => void;
}) {
  const showing = resolutionName(stats?.width ?? null, stats?.height ?? null, stats?.fps ?? null);
  const pictures = qualities.filter(({ layer }) => layer !== null);
  return (
    <Menu.Root>
      <Menu.Trigger
        aria-label={`Quality: ${pinned === null ? 'Auto' : 'fixed'}${showing ? `, now ${showing}` : ''}`}
        title="Quality"
        className="flex h-11 min-w-11 items-center justify-center gap-2 rounded-control px-2.5 text-sm font-semibold text-ink tabular-nums transition-colors duration-150 hover:bg-white/15 data-popup-open:bg-white/15"
      >
        <Settings2 aria-hidden size={20} />
        {showing && <span className="max-sm:hidden">{showing}</span>}
      </Menu.Trigger>
      <MenuPanel
        container={container}
        label="Quality"
        align="end"
        after={
          <>
            <Menu.Separator className={`mx-2 my-1.5 h-px bg-line ${onStats ? '' : 'sm:hidden'}`} />
            {onStats && (
              <Menu.Item onClick={onStats} className={MENU_ITEM}>
                <Activity aria-hidden size={16} className="text-ink-2" />
                Statistics
              </Menu.Item>
            )}
            {document.pictureInPictureEnabled && (
              <Menu.Item onClick={onPip} className={`${MENU_ITEM} sm:hidden`}>
                <PictureInPicture2 aria-hidden size={16} className="text-ink-2" />
                Picture in picture
              </Menu.Item>
            )}
          </>
        }
      >
        <Menu.RadioGroup
          value={pinned ?? AUTO}
          onValueChange={(value: string) => onChoose(value === AUTO ? null : value)}
        >
          <Entry value={AUTO} label={pinned === null && showing ? `Auto · ${showing}` : 'Auto'} />
          {qualities.map(({ id, layer }) => (
            <Entry
              key={id}
              value={id}
              label={layer ? layerName(layer) : 'Audio only'}
              disabled={layer !== null && (pictures.length < 2 || !layer.active)}
              note={layer && !layer.active ? 'paused' : null}
            />
          ))}
        </Menu.RadioGroup>
        {pictures.length < 2 && pinned === null && (
          <p className="max-w-60 px-3 pt-1 pb-2 text-xs text-ink-3">
            {pictures.length === 1
              ? 'The host sends one quality.'
              : 'The host has not told the qualities yet.'}
          </p>
        )}
      </MenuPanel>
    </Menu.Root>
  );
}
