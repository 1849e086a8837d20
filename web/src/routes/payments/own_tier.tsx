/** One's own membership: which tier it is, and the way to another. */
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { type Offers, type OwnMembership, paymentsApi } from '../../api/payments';
import { Button } from '../../ui/button';
import { useAskAccessAgain } from '../gates/access';
import { link } from './looks';
import { Refusal } from './refusal';
import { TierChoice } from './tier_choice';
import { dayText, enough, priceOf, priceText, tierName } from './words';

export function OwnTier({
  handle,
  offers,
  own,
  known,
  least,
}: {
  handle: string;
  offers: Offers;
  /** `null`: it is a gift of somebody's. */
  own: OwnMembership | null;
  /** Whether that is known yet. */
  known: boolean;
  /** The tier that is needed. */
  least: number;
}) {
  const tier = tierName(offers.tiers, own?.tier ?? offers.own_tier);
  return (
    <>
      <p className="text-sm text-ink-2">
        You are a member: <strong className="font-semibold text-ink">{tier}</strong>
        {own && `, ${priceText(own.price, own.period)}`}.{' '}
        {own?.ends && `It ends on ${dayText(own.period_end)}. `}
        {known && !own && 'It is a gift. To stay a member, join yourself: '}
        {known && !own ? (
          'choose a tier below.'
        ) : (
          <>
            You see and end it under{' '}
            <Link to="/memberships" className={link}>
              Memberships and payments
            </Link>
            .
          </>
        )}
      </p>
      {own && offers.tiers.length > 1 && <Change handle={handle} offers={offers} own={own} least={least} />}
    </>
  );
}

function Change({
  handle,
  offers,
  own,
  least,
}: {
  handle: string;
  offers: Offers;
  own: OwnMembership;
  least: number;
}) {
  const again = useAskAccessAgain(handle);
  const [wished, setWished] = useState(
    () => (own.tier < least && enough(offers.tiers, least)?.tier) || own.tier,
  );
  const [asked, setAsked] = useState(false);
  const change = useMutation({
    mutationFn: () => paymentsApi.changeTier(handle, wished),
    onSuccess: () => setAsked(false),
    onSettled: again,
  });
  const chosen = offers.tiers.find(({ tier }) => tier === wished);
  const price = chosen ? priceOf(chosen, own.period, offers.currency) : null;
  const isOther = wished !== own.tier && price !== null;
  return (
    <div className="flex flex-col gap-4">
      <TierChoice
        tiers={offers.tiers}
        currency={offers.currency}
        period={own.period}
        chosen={wished}
        own={own.tier}
        onChoose={(tier) => {
          setWished(tier);
          setAsked(false);
          change.reset();
        }}
      />
      <Refusal error={change.error} />
      <span role="status" className="text-sm text-ink-2 empty:hidden">
        {change.isSuccess && `Done: you have ${tierName(offers.tiers, wished)} now.`}
      </span>
      {asked && isOther && price && chosen ? (
        <div className="flex flex-col gap-3 rounded-control border border-line bg-surface-2 p-4">
          <p className="text-sm">
            Change to {chosen.name} for {priceText(price, own.period)}? It changes at once. What is left of
            your present tier is set off, and the rest is charged to your card.
          </p>
          <div className="flex flex-wrap justify-end gap-2">
            <Button look="ghost" onClick={() => setAsked(false)}>
              Leave it
            </Button>
            <Button look="primary" autoFocus disabled={change.isPending} onClick={() => change.mutate()}>
              {change.isPending ? 'Changing' : `Change to ${chosen.name}`}
            </Button>
          </div>
        </div>
      ) : (
        <Button look="primary" disabled={!isOther} onClick={() => setAsked(true)}>
          Change to this tier
        </Button>
      )}
    </div>
  );
}
