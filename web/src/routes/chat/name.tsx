import { BadgeCheck, Crown, ShieldCheck, Wrench } from 'lucide-react';
import type { CSSProperties } from 'react';
import { hueOf } from '../../chat/names';
import type { Badge, Sender } from '../../chat/protocol';
import { readable } from '../../chat/text';

const BADGES = {
  owner: { words: 'Owner of the channel', Icon: Crown },
  moderator: { words: 'Moderator', Icon: ShieldCheck },
  admin: { words: 'Looks after this server', Icon: Wrench },
  member: { words: 'Member', Icon: BadgeCheck },
};

/** Who says it: badges and the name in its colour. */
export function Name({ from }: { from: Sender }) {
  return (
    <>
      {from.badges.map((badge) => (
        <BadgeIcon key={badge} badge={badge} />
      ))}
      <bdi
        className="name-colour font-semibold break-words"
        style={{ '--hue': String(hueOf(from.name)) } as CSSProperties}
      >
        {readable(from.name)}
      </bdi>
    </>
  );
}

function BadgeIcon({ badge }: { badge: Badge }) {
  if (badge === 'guest') {
    return (
      <span className="mr-1 rounded border border-line px-1 text-[0.7em] font-medium text-ink-3">guest</span>
    );
  }
  const { words, Icon } = BADGES[badge];
  return (
    <span title={words} className="mr-1 inline-block align-[-0.1em] text-ink-2">
      <Icon aria-hidden size={14} />
      <span className="sr-only">{words}</span>
    </span>
  );
}
