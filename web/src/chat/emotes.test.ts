import { expect, test } from 'vitest';
import { byTier } from './emotes';

const emote = (code: string, tier: number) => ({
  code,
  url: `/${code}`,
  width: 28,
  height: 28,
  animated: false,
  tier,
});
const all = [emote('crown', 3), emote('wave', 0), emote('party', 1), emote('cake', 1)];

function codes(ownTier: number) {
  const { usable, locked } = byTier(all, ownTier);
  return {
    usable: usable.map(({ code }) => code),
    locked: locked.map(({ tier, emotes }) => [tier, ...emotes.map(({ code }) => code)]),
  };
}

test('emotes of members are locked for who is none, by the tier that they ask for', () => {
  expect(codes(0)).toEqual({
    usable: ['wave'],
    locked: [
      [1, 'party', 'cake'],
      [3, 'crown'],
    ],
  });
});

test('a tier has the emotes of those below it', () => {
  expect(codes(2)).toEqual({ usable: ['wave', 'party', 'cake'], locked: [[3, 'crown']] });
  expect(codes(3).locked).toEqual([]);
});
