/** Sends money with a few words. */
import { useId, useState } from 'react';
import type { ChannelPage } from '../../api/channels';
import { fieldError } from '../../api/client';
import type { Offers } from '../../api/payments';
import { amountText, moneyText, readAmount, suggestions } from '../../payments/money';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { TextField } from '../../ui/field';
import { TextArea } from '../../ui/text_area';
import { choice } from './looks';
import { Refusal } from './refusal';
import { TestBadge } from './test_badge';
import { useBuy } from './use_buy';

const LONGEST = 200;

export default function TipDialog({
  channel,
  offers,
  tips,
  onClose,
}: {
  channel: Pick<ChannelPage, 'handle' | 'name'>;
  offers: Offers;
  tips: NonNullable<Offers['tips']>;
  onClose: () => void;
}) {
  const { currency } = offers;
  const offered = suggestions(tips.least, tips.most, currency);
  const [text, setText] = useState(() =>
    amountText({ amount: offered[Math.min(1, offered.length - 1)] ?? tips.least, currency }),
  );
  const [message, setMessage] = useState('');
  const { buy, isBusy, isSignedIn, error, reset } = useBuy(channel.handle, 'tip');
  const amount = readAmount(text, currency);
  const range = `${moneyText({ amount: tips.least, currency })} to ${moneyText({ amount: tips.most, currency })}`;
  const isWrong = amount === null || amount < tips.least || amount > tips.most;
  const refused = fieldError(error, 'amount') ?? fieldError(error, 'message');
  const choose = (next: string) => {
    setText(next);
    reset();
  };
  const left = LONGEST - [...message].length;
  return (
    <Dialog open onClose={onClose} title={`Tip ${channel.name}`}>
      <form
        className="flex flex-col gap-4 text-ink"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isWrong) buy({ kind: 'tip', amount, currency, message: message.trim() });
        }}
      >
        <TestBadge />
        <Amounts
          amounts={offered}
          currency={currency}
          chosen={amount}
          onChoose={(next) => choose(amountText({ amount: next, currency }))}
        />
        <TextField
          label={`Or another amount (${currency.toUpperCase()})`}
          inputMode="decimal"
          autoComplete="off"
          value={text}
          hint={`${range}.`}
          error={
            fieldError(error, 'amount') ??
            (isWrong && text !== ''
              ? `Such as ${amountText({ amount: tips.least, currency })}: ${range}.`
              : undefined)
          }
          onChange={(event) => choose(event.target.value)}
        />
        <TextArea
          label="Message"
          rows={2}
          value={message}
          hint={`${left} of ${LONGEST} characters left. It may be read out and shown on the stream.`}
          error={fieldError(error, 'message')}
          onChange={(event) => {
            setMessage([...event.target.value].slice(0, LONGEST).join(''));
            reset();
          }}
        />
        {!refused && <Refusal error={error} />}
        <Button type="submit" look="primary" disabled={isBusy || isWrong}>
          {isBusy
            ? 'Opening the payment page'
            : !isSignedIn
              ? 'Sign in to continue'
              : isWrong
                ? 'Continue to payment'
                : `Continue to pay ${moneyText({ amount, currency })}`}
        </Button>
      </form>
    </Dialog>
  );
}

function Amounts({
  amounts,
  currency,
  chosen,
  onChoose,
}: {
  amounts: readonly number[];
  currency: string;
  chosen: number | null;
  onChoose: (amount: number) => void;
}) {
  const name = useId();
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1.5 text-sm font-medium">Amount</legend>
      <div className="grid grid-cols-3 gap-2 sm:grid-cols-5">
        {amounts.map((amount) => (
          <label
            key={amount}
            className={`${choice} min-h-11 items-center justify-center px-1 text-sm tabular-nums`}
          >
            <input
              type="radio"
              name={name}
              checked={chosen === amount}
              onChange={() => onChoose(amount)}
              className="sr-only"
            />
            {moneyText({ amount, currency })}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
