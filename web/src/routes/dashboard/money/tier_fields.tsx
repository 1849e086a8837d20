import { Trash2 } from 'lucide-react';
import { TextField } from '../../../ui/field';
import { TextArea } from '../../../ui/text_area';
import type { TierRow } from './shop_form';

/** One tier of membership, as it is offered from now on. */
export function TierFields({
  at,
  tier,
  currency,
  isLast,
  errorOf,
  onChange,
  onRemove,
}: {
  at: number;
  tier: TierRow;
  currency: string;
  /** Only the highest can go: the others would change their numbers under those who pay. */
  isLast: boolean;
  errorOf: (field: string) => string | undefined;
  onChange: (change: Partial<TierRow>) => void;
  onRemove: () => void;
}) {
  const code = currency.toUpperCase();
  return (
    <fieldset className="flex min-w-0 flex-col gap-4 rounded-control border border-line p-4">
      <legend className="px-1 text-sm font-semibold">Tier {at + 1}</legend>
      <div className="flex items-end gap-2">
        <div className="min-w-0 flex-1">
          <TextField
            label="Name"
            value={tier.name}
            maxLength={60}
            placeholder="Friends"
            error={errorOf('name')}
            onChange={(event) => onChange({ name: event.target.value })}
          />
        </div>
        {isLast && (
          <button
            type="button"
            aria-label={`Remove tier ${at + 1}`}
            onClick={onRemove}
            className="flex size-11 items-center justify-center rounded-control text-ink-2 hover:bg-surface-2 hover:text-ink"
          >
            <Trash2 aria-hidden size={16} />
          </button>
        )}
      </div>
      <TextArea
        label="What members get"
        hint={
          at === 0
            ? 'One thing a line, up to ten.'
            : 'One thing a line, up to ten. They have all of the tiers before as well.'
        }
        error={errorOf('perks')}
        value={tier.perks}
        placeholder={'A badge in the chat\nStreams for members'}
        onChange={(event) => onChange({ perks: event.target.value })}
      />
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField
          label={`A month (${code})`}
          inputMode="decimal"
          autoComplete="off"
          value={tier.month}
          error={errorOf('month')}
          onChange={(event) => onChange({ month: event.target.value })}
        />
        <TextField
          label={`A year (${code})`}
          hint="Left empty, it is paid by the month alone."
          inputMode="decimal"
          autoComplete="off"
          value={tier.year}
          error={errorOf('year')}
          onChange={(event) => onChange({ year: event.target.value })}
        />
      </div>
    </fieldset>
  );
}
