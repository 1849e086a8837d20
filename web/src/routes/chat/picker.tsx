/** The channel's emotes and the emoji, to be picked. */
import { Popover } from '@base-ui/react/popover';
import { Lock, Smile } from 'lucide-react';
import { useState } from 'react';
import { EMOJI } from '../../chat/emoji';
import { byTier } from '../../chat/emotes';
import type { Emote } from '../../chat/protocol';
import { badgeText } from '../../gates/words';

export default function Picker({
  emotes,
  ownTier,
  disabled,
  onPick,
  onLocked,
}: {
  emotes: readonly Emote[];
  /** 0: one is no member. */
  ownTier: number;
  disabled: boolean;
  onPick: (words: string) => void;
  /** One wants an emote that asks for a tier that one has not. */
  onLocked: (tier: number) => void;
}) {
  const [isOpen, setIsOpen] = useState(false);
  const [wanted, setWanted] = useState('');
  const fits = (code: string) => code.includes(wanted.trim().toLowerCase().replaceAll(':', ''));
  const { usable, locked } = byTier(
    emotes.filter(({ code }) => fits(code)),
    ownTier,
  );
  return (
    <Popover.Root
      open={isOpen}
      onOpenChange={(open) => {
        setIsOpen(open);
        if (open) setWanted('');
      }}
    >
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
              {usable.length > 0 && (
                <Group label="Of this channel">
                  {usable.map(({ code, url }) => (
                    <Choice key={code} label={`:${code}:`} onPick={() => onPick(`:${code}: `)}>
                      <img src={url} alt="" loading="lazy" className="h-7 w-auto max-w-9 object-contain" />
                    </Choice>
                  ))}
                </Group>
              )}
              {locked.map(({ tier, emotes: above }) => (
                <LockedGroup
                  key={tier}
                  tier={tier}
                  emotes={above}
                  onPick={() => {
                    setIsOpen(false);
                    onLocked(tier);
                  }}
                />
              ))}
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

function Group({
  label,
  isLocked = false,
  children,
}: {
  label: string;
  isLocked?: boolean;
  children: React.ReactNode;
}) {
  return (
    <section aria-label={label}>
      <h3 className="flex items-center gap-1 px-1 pt-1 pb-1 text-xs font-semibold text-ink-3">
        {isLocked && <Lock aria-hidden size={12} />}
        {label}
      </h3>
      <div className="grid grid-cols-7">{children}</div>
    </section>
  );
}

/** To be seen by all; to be used by members from a tier on. */
function LockedGroup({
  tier,
  emotes,
  onPick,
}: {
  tier: number;
  emotes: readonly Emote[];
  onPick: () => void;
}) {
  const whom = badgeText({ who: 'members', tier }) ?? '';
  return (
    <Group label={whom} isLocked>
      {emotes.map(({ code, url }) => (
        <Choice key={code} label={`:${code}:, locked: ${whom}`} isLocked onPick={onPick}>
          <img src={url} alt="" loading="lazy" className="h-7 w-auto max-w-9 object-contain opacity-50" />
          <Lock aria-hidden size={12} className="absolute right-1 bottom-1 text-ink" />
        </Choice>
      ))}
    </Group>
  );
}

function Choice({
  label,
  isLocked = false,
  onPick,
  children,
}: {
  label: string;
  /** It is not picked; what opens it is behind it. */
  isLocked?: boolean;
  onPick: () => void;
  children: React.ReactNode;
}) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      aria-haspopup={isLocked ? 'dialog' : undefined}
      onClick={onPick}
      className="relative flex h-11 items-center justify-center rounded-md hover:bg-surface-2"
    >
      {children}
    </button>
  );
}
