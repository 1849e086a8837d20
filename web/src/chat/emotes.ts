import type { Emote } from './protocol';

/** Which emotes one may use, and which ask for more: those by the tier they ask for, the lowest first. */
export function byTier(
  emotes: readonly Emote[],
  ownTier: number,
): { usable: Emote[]; locked: { tier: number; emotes: Emote[] }[] } {
  const usable = emotes.filter(({ tier }) => tier <= ownTier);
  const above = emotes.filter(({ tier }) => tier > ownTier);
  const tiers = [...new Set(above.map(({ tier }) => tier))].sort((a, b) => a - b);
  const locked = tiers.map((tier) => ({ tier, emotes: above.filter((emote) => emote.tier === tier) }));
  return { usable, locked };
}
