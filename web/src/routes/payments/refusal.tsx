/** Why something could not be paid, and what to do. */
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { ApiError } from '../../api/client';
import { Notice } from '../../ui/notice';
import { link } from './looks';

const MEMBERSHIPS = (
  <Link to="/memberships" className={link}>
    Memberships and payments
  </Link>
);

const WORDS: Record<string, [title: string, words: ReactNode]> = {
  stripe_unavailable: [
    'The payment service does not answer',
    'Try again in a moment. Nothing is charged twice.',
  ],
  card_declined: [
    'Your card was declined',
    <>Nothing was changed. Change the card under {MEMBERSHIPS} first.</>,
  ],
  stripe_refused: [
    'The payment service refused',
    'Nothing was charged. Try again later; if it stays so, tell whoever runs this server.',
  ],
  already_member: [
    'You are a member already',
    <>You can change your tier here, or end the membership under {MEMBERSHIPS}.</>,
  ],
  already_paid: ['You have just paid for this', 'It shows here in a moment. You need not pay again.'],
  checkout_under_way: [
    'You are paying for this in another tab',
    'Go on there, or close that tab and try again in a moment.',
  ],
  payouts_not_ready: [
    'This channel cannot take money yet',
    'Its creator has to finish the set-up first. Nothing was charged.',
  ],
  already_bought: ['You have this ticket already', 'It lets you in by itself. You need not buy it again.'],
  no_tips: ['This channel takes no tips any more', 'Nothing was charged.'],
  currency_wrong: [
    'The channel has another currency now',
    'Close this and open it again to see the new amounts. Nothing was charged.',
  ],
  tier_not_found: ['This membership is not offered any more', 'Choose another one. Nothing was charged.'],
  ticket_not_found: ['This ticket is not sold any more', 'Nothing was charged.'],
  not_a_member: ['You do not pay a membership of this channel', 'Join to choose a tier.'],
  past_due: [
    'A payment is missing',
    <>Put your card in order under {MEMBERSHIPS} first. Then you can change the tier.</>,
  ],
};

export function Refusal({ error }: { error: Error | null }) {
  if (!error) return null;
  const code = error instanceof ApiError ? error.code : null;
  const [title, words] = WORDS[code ?? ''] ?? ['That did not work', error.message];
  return <Notice title={title}>{words}</Notice>;
}
