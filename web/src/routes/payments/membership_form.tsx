import { useId, useState } from 'react';
import type { Offers, Period } from '../../api/payments';
import { Button } from '../../ui/button';
import { choice } from './looks';
import { Refusal } from './refusal';
import { TierChoice } from './tier_choice';
import { useBuy } from './use_buy';
import { enough, priceOf, priceText } from './words';

/** Chooses a tier and how often it is paid, and goes to pay. */
export function MembershipForm({
  handle,
  offers,
  least,
}: {
  handle: string;
  offers: Offers;
  /** The tier that is needed. */
  least: number;
}) {
  const { tiers, currency } = offers;
  const [period, setPeriod] = useState<Period>('month');
  const [wished, setWished] = useState(() => enough(tiers, least)?.tier ?? 1);
  const { buy, isBusy, isSignedIn, error } = useBuy(handle, 'join');
  const canBeHad = tiers.filter((tier) => priceOf(tier, period, currency) !== null);
  const tier = canBeHad.find(({ tier }) => tier === wished) ?? canBeHad[0];
  const price = tier ? priceOf(tier, period, currency) : null;
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (tier) buy({ kind: 'membership', tier: tier.tier, period });
      }}
    >
      {tiers.some(({ year }) => year != null) && <Periods period={period} onChange={setPeriod} />}
      <TierChoice
        tiers={tiers}
        currency={currency}
        period={period}
        chosen={tier?.tier ?? null}
        onChoose={setWished}
      />
      <p className="text-sm text-ink-2">
        {price && `${priceText(price, period)}, until you end it. `}You can end it at any time; what is paid
        stays yours to its end.
      </p>
      <Refusal error={error} />
      <Button type="submit" look="primary" disabled={!tier || isBusy}>
        {isBusy ? 'Opening the payment page' : isSignedIn ? 'Continue to payment' : 'Sign in to continue'}
      </Button>
    </form>
  );
}

function Periods({ period, onChange }: { period: Period; onChange: (period: Period) => void }) {
  const name = useId();
  return (
    <fieldset className="min-w-0">
      <legend className="sr-only">How often you pay</legend>
      <div className="grid grid-cols-2 gap-2">
        {(['month', 'year'] as const).map((each) => (
          <label key={each} className={`${choice} min-h-11 items-center justify-center text-sm font-medium`}>
            <input
              type="radio"
              name={name}
              checked={period === each}
              onChange={() => onChange(each)}
              className="sr-only"
            />
            {each === 'month' ? 'Monthly' : 'Yearly'}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
