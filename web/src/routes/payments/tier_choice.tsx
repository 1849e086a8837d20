import { Check } from 'lucide-react';
import { useId } from 'react';
import type { Period, Tier } from '../../api/payments';
import { choice } from './looks';
import { priceOf, priceText } from './words';

/** The tiers as cards, of which one is chosen. */
export function TierChoice({
  tiers,
  currency,
  period,
  chosen,
  own = null,
  onChoose,
}: {
  tiers: readonly Tier[];
  currency: string;
  period: Period;
  chosen: number | null;
  /** The one that somebody has. */
  own?: number | null;
  onChoose: (tier: number) => void;
}) {
  const name = useId();
  return (
    <fieldset className="flex min-w-0 flex-col gap-2">
      <legend className="sr-only">Tier</legend>
      {tiers.map((tier) => {
        const price = priceOf(tier, period, currency);
        return (
          <label key={tier.tier} className={`${choice} flex-col gap-2 p-4 has-disabled:opacity-60`}>
            <span className="flex items-baseline gap-x-3">
              <input
                type="radio"
                name={name}
                value={tier.tier}
                checked={chosen === tier.tier}
                disabled={price === null}
                onChange={() => onChoose(tier.tier)}
                className="size-4 shrink-0 translate-y-0.5 accent-ink"
              />
              <span className="min-w-0 flex-1 font-semibold break-words">
                {tier.name}
                {own === tier.tier && <span className="font-normal text-ink-3"> · yours</span>}
              </span>
              <span className="shrink-0 text-sm tabular-nums">
                {price ? priceText(price, period) : `not by the ${period}`}
              </span>
            </span>
            {tier.perks.length > 0 && (
              <ul className="flex flex-col gap-1 pl-7 text-sm text-ink-2">
                {tier.perks.map((perk, at) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: two perks may be the same, and none moves
                  <li key={at} className="flex gap-2 break-words [overflow-wrap:anywhere]">
                    <Check aria-hidden size={16} className="mt-0.5 shrink-0" />
                    {perk}
                  </li>
                ))}
              </ul>
            )}
          </label>
        );
      })}
    </fieldset>
  );
}
