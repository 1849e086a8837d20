/** The channel's emotes and the emoji, to be picked. */
import { Popover } from '@base-ui/react/popover';
import { Smile } from 'lucide-react';
import { useState } from 'react';
import { EMOJI } from '../../chat/emoji';
import type { Emote } from '../../chat/protocol';

export default function Picker({
  emotes,
  disabled,
  onPick,
}: {
  emotes: readonly Emote[];
  disabled: boolean;
  onPick: (words: string) => void;
}) {
  const [wanted, setWanted] = useState('');
  const fits = (code: string) => code.includes(wanted.trim().toLowerCase().replaceAll(':', ''));
  const own = emotes.filter(({ code }) => fits(code));
  return (
    <Popover.Root onOpenChange={(open) => open && setWanted('')}>
      <Popover.Trigger
        aria-label="Emotes and emoji"
        disabled={disabled}
        className="flex size-11 shrink-0 items-center justify-center rounded-md text-ink-2 hover:bg-surface-2 hover:text-ink disabled:text-ink-3"
      >
        <Smile aria-hidden size={19} />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner
          positionMethod="fixed"
          side="top"
          align="end"
          sideOffset={8}
          collisionPadding={8}
          className="z-50"
        >
          <Popover.Popup
            aria-label="Emotes and emoji"
            className="flex max-h-[min(22rem,60dvh)] w-80 max-w-[calc(100vw-1rem)] flex-col rounded-card border border-line bg-surface-1 text-ink shadow-panel outline-none"
          >
            <input
              type="search"
              aria-label="Find an emote"
              placeholder="Find"
              value={wanted}
              onChange={({ target }) => setWanted(target.value)}
              className="m-2 min-h-11 rounded-control border border-line-strong/60 bg-surface-0 px-3 text-base sm:text-sm"
            />
            <div className="min-h-0 overflow-y-auto px-2 pb-2">
              {own.length > 0 && (
                <Group label="Of this channel">
                  {own.map(({ code, url }) => (
                    <Choice key={code} label={`:${code}:`} onPick={() => onPick(`:${code}: `)}>
                      <img src={url} alt="" loading="lazy" className="h-7 w-auto max-w-9 object-contain" />
                    </Choice>
                  ))}
                </Group>
              )}
              {EMOJI.map(({ label, emoji }) => {
                const shown = emoji.filter(([code]) => fits(code));
                return (
                  shown.length > 0 && (
                    <Group key={label} label={label}>
                      {shown.map(([code, sign]) => (
                        <Choice key={code} label={code.replaceAll('_', ' ')} onPick={() => onPick(sign)}>
                          <span aria-hidden className="text-2xl leading-none">
                            {sign}
                          </span>
                        </Choice>
                      ))}
                    </Group>
                  )
                );
              })}
            </div>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Group({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <section aria-label={label}>
      <h3 className="px-1 pt-1 pb-1 text-xs font-semibold text-ink-3">{label}</h3>
      <div className="grid grid-cols-7">{children}</div>
    </section>
  );
}

function Choice({
  label,
  onPick,
  children,
}: {
  label: string;
  onPick: () => void;
  children: React.ReactNode;
}) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      onClick={onPick}
      className="flex h-11 items-center justify-center rounded-md hover:bg-surface-2"
    >
      {children}
    </button>
  );
}
