/** The channel's colour: some that both themes show well, or one's own. */
import { Ban, Check } from 'lucide-react';

const COLOURS = [
  ['#3b82f6', 'Blue'],
  ['#8b5cf6', 'Violet'],
  ['#c026d3', 'Magenta'],
  ['#db2777', 'Pink'],
  ['#c2410c', 'Rust'],
  ['#a16207', 'Ochre'],
  ['#0d9488', 'Teal'],
  ['#64748b', 'Slate'],
] as const;

export function AccentField({ value, onChange }: { value: string; onChange: (colour: string) => void }) {
  return (
    <fieldset>
      <legend className="mb-1.5 text-sm font-medium">Colour</legend>
      <div className="flex flex-wrap items-center gap-2">
        <button
          type="button"
          aria-label="No colour"
          aria-pressed={value === ''}
          onClick={() => onChange('')}
          className="flex size-11 items-center justify-center rounded-full border border-line-strong text-ink-2 aria-pressed:outline-2 aria-pressed:outline-offset-2 aria-pressed:outline-ink"
        >
          <Ban aria-hidden size={18} />
        </button>
        {COLOURS.map(([colour, name]) => (
          <button
            key={colour}
            type="button"
            aria-label={name}
            aria-pressed={value === colour}
            onClick={() => onChange(colour)}
            style={{ backgroundColor: colour }}
            className="flex size-11 items-center justify-center rounded-full text-white aria-pressed:outline-2 aria-pressed:outline-offset-2 aria-pressed:outline-ink"
          >
            {value === colour && <Check aria-hidden size={18} />}
          </button>
        ))}
        <label className="flex min-h-11 items-center gap-2 rounded-control border border-line px-3 text-sm">
          Other
          <input
            type="color"
            value={value || '#3b82f6'}
            onChange={(event) => onChange(event.target.value)}
            className="h-7 w-9 cursor-pointer border-0 bg-transparent"
          />
        </label>
      </div>
      <p className="mt-1.5 text-sm text-ink-3">
        It tints your page. It must be seen on dark and on light pages.
      </p>
    </fieldset>
  );
}
