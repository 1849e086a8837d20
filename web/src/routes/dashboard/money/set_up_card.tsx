/** Where the money goes, and what of it. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { CircleCheck, ExternalLink, TriangleAlert } from 'lucide-react';
import { type Payouts, shopApi } from '../../../api/payments';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { Reading } from '../../asking';
import { NoAnswer } from '../../no_answer';
import { useLeaveTo } from '../../payments/leave_to';
import { Refusal } from '../../payments/refusal';

export function SetUpCard({ feePercent }: { feePercent: number }) {
  const query = useQuery({ queryKey: ['account', 'payouts'], queryFn: shopApi.payouts });
  return (
    <Card title="Where your money goes">
      {!query.data && !query.error && <Reading />}
      {query.error && <NoAnswer reason={query.error.message} onRetry={() => void query.refetch()} />}
      {query.data && (
        <div className="flex flex-col gap-5">
          {query.data.own_account ? <OwnAccount payouts={query.data} /> : <OperatorsAccount />}
          <p className="border-t border-line pt-4 text-sm text-ink-2">
            {feeWords(feePercent)} Stripe takes its own fee for each payment. Taxes are yours to declare: the
            table under Payments has every payment for it.
          </p>
        </div>
      )}
    </Card>
  );
}

function feeWords(percent: number): string {
  return percent === 0
    ? 'This server keeps nothing of what you earn.'
    : `This server keeps ${percent} % of each payment; the rest is yours.`;
}

function OperatorsAccount() {
  return (
    <Line good title="Ready">
      On this server all money goes to the Stripe account of whoever runs it. There is nothing for you to set
      up.
    </Line>
  );
}

function OwnAccount({ payouts }: { payouts: Payouts }) {
  const { connected, can_charge, can_pay_out } = payouts;
  return (
    <>
      <Line good={connected && can_charge && can_pay_out} title={stateTitle(payouts)}>
        {!connected &&
          'Stripe takes the payments and pays them out to your bank account. It asks who you are and where the money shall go.'}
        {connected &&
          !can_charge &&
          'Stripe still needs something from you before your channel can take money. Go on with it there.'}
        {connected &&
          can_charge &&
          !can_pay_out &&
          'Your channel takes money. Stripe still needs something from you before it pays it out.'}
        {connected && can_charge && can_pay_out && 'Your channel takes money, and Stripe pays it out to you.'}
      </Line>
      <div className="flex flex-wrap gap-2">
        {(!connected || !can_charge || !can_pay_out) && (
          <ToStripe
            look="primary"
            open={shopApi.connect}
            label={connected ? 'Go on with Stripe' : 'Connect with Stripe'}
          />
        )}
        {connected && <ToStripe look="secondary" open={shopApi.openPayouts} label="See payouts at Stripe" />}
      </div>
    </>
  );
}

function stateTitle({ connected, can_charge, can_pay_out }: Payouts): string {
  if (!connected) return 'Not connected yet';
  if (!can_charge) return 'Not finished yet';
  return can_pay_out ? 'Ready' : 'Almost ready';
}

function ToStripe({
  look,
  open,
  label,
}: {
  look: 'primary' | 'secondary';
  open: () => Promise<{ url: string }>;
  label: string;
}) {
  const [leaving, leaveTo] = useLeaveTo();
  const go = useMutation({ mutationFn: open, onSuccess: ({ url }) => leaveTo(url) });
  return (
    <div className="flex flex-col gap-2">
      <Button look={look} disabled={go.isPending || leaving} onClick={() => go.mutate()}>
        <ExternalLink aria-hidden size={16} />
        {go.isPending || leaving ? 'Opening' : label}
      </Button>
      <Refusal error={go.error} />
    </div>
  );
}

function Line({ good, title, children }: { good: boolean; title: string; children: React.ReactNode }) {
  const Icon = good ? CircleCheck : TriangleAlert;
  return (
    <div className="flex gap-3">
      <Icon
        aria-hidden
        size={20}
        className={`mt-0.5 shrink-0 ${good ? 'text-preview-text' : 'text-warn-text'}`}
      />
      <div className="min-w-0">
        <p className="font-medium">{title}</p>
        <p className="mt-0.5 text-sm text-ink-2">{children}</p>
      </div>
    </div>
  );
}
