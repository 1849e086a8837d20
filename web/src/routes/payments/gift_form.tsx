import { useId, useState } from 'react';
import { fieldError } from '../../api/client';
import type { Offers } from '../../api/payments';
import { moneyText } from '../../payments/money';
import { Button } from '../../ui/button';
import { TextField } from '../../ui/field';
import { choice } from './looks';
import { Refusal } from './refusal';
import { TierChoice } from './tier_choice';
import { useBuy } from './use_buy';
import { counted, priceOf } from './words';

const QUANTITIES = [1, 5, 10, 20, 50] as const;
const MOST = 50;

/** Memberships of a month for others. */
export function GiftForm({ handle, offers, onBack }: { handle: string; offers: Offers; onBack: () => void }) {
  const { tiers, currency } = offers;
  const [tier, setTier] = useState(tiers[0]?.tier ?? 1);
  const [text, setText] = useState('5');
  const { buy, isBusy, isSignedIn, error, reset } = useBuy(handle, 'join');
  const quantity = /^\d{1,2}$/.test(text.trim()) ? Number(text) : 0;
  const isWrong = quantity < 1 || quantity > MOST;
  const chosen = tiers.find((each) => each.tier === tier);
  const one = chosen ? priceOf(chosen, 'month', currency) : null;
  const total = one && !isWrong ? moneyText({ ...one, amount: one.amount * quantity }) : null;
  const refused = fieldError(error, 'quantity');
  const choose = (next: string) => {
    setText(next);
    reset();
  };
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isWrong) buy({ kind: 'gift', tier, quantity });
      }}
    >
      <p className="text-sm text-ink-2">
        People in the chat get a month each, paid once. Who is a member already is passed over.
      </p>
      <TierChoice tiers={tiers} currency={currency} period="month" chosen={tier} onChoose={setTier} />
      <Quantities quantity={quantity} onChoose={(count) => choose(String(count))} />
      <TextField
        label="Or another number"
        inputMode="numeric"
        autoComplete="off"
        value={text}
        error={refused ?? (isWrong && text !== '' ? `1 to ${MOST}.` : undefined)}
        onChange={(event) => choose(event.target.value)}
      />
      <p className="flex items-baseline justify-between gap-4 font-semibold tabular-nums" aria-live="polite">
        <span>{isWrong ? 'Total' : `${counted(quantity, 'membership')}, one month`}</span>
        <span>{total ?? '–'}</span>
      </p>
      {!refused && <Refusal error={error} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button look="ghost" onClick={onBack}>
          Back
        </Button>
        <Button type="submit" look="primary" disabled={isBusy || isWrong}>
          {isBusy ? 'Opening the payment page' : isSignedIn ? 'Continue to payment' : 'Sign in to continue'}
        </Button>
      </div>
    </form>
  );
}

function Quantities({ quantity, onChoose }: { quantity: number; onChoose: (quantity: number) => void }) {
  const name = useId();
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1.5 text-sm font-medium">How many</legend>
      <div className="grid grid-cols-5 gap-2">
        {QUANTITIES.map((each) => (
          <label key={each} className={`${choice} min-h-11 items-center justify-center text-sm tabular-nums`}>
            <input
              type="radio"
              name={name}
              checked={quantity === each}
              onChange={() => onChoose(each)}
              className="sr-only"
            />
            {each}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
