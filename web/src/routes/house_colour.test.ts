import { expect, test } from 'vitest';
import { visible } from './house_colour';

/** By the definition, apart from the code that is tested. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const code = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return code <= 0.04045 ? code / 12.92 : ((code + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

test('a colour that both themes show stays, and any other is made so', () => {
  for (const colour of ['#3b82f6', '#c2410c', '#0d9488']) expect(visible(colour)).toBe(colour);
  for (const colour of ['#ff6a3d', '#ffff00', '#ffffff', '#000080', '#000000', '#FFB3C1']) {
    const shown = visible(colour) ?? '';
    expect(shown).toMatch(/^#[0-9a-f]{6}$/);
    // A step of a part is a step of the whole.
    expect(luminance(shown), colour).toBeGreaterThan(0.12);
    expect(luminance(shown), colour).toBeLessThan(0.281);
  }
  expect(visible('#ff6a3d'), 'a little darker').toBe('#f06339');
});

test('what is no colour colours nothing', () => {
  for (const none of ['', 'red', '#12', '#12345g', 'url(x)', '#aabbcc; x']) expect(visible(none)).toBeNull();
});
