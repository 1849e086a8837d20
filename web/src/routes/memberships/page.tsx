/** What one pays: memberships, and all payments that were made. */
import { useQuery } from '@tanstack/react-query';
import { useRequiredAccount } from '../account';
import { Frame } from '../frame';
import { instanceQuery } from '../instance';
import { Opening } from '../no_answer';
import { PaymentsOff } from '../payments/off';
import { TestBadge } from '../payments/test_badge';
import { useTitle } from '../title';
import { MembershipsCard } from './memberships_card';
import { PurchasesCard } from './purchases_card';

const TITLE = 'Memberships and payments';

export function MembershipsPage() {
  useTitle(TITLE);
  const session = useRequiredAccount();
  const house = useQuery(instanceQuery);
  return (
    <Frame>
      <div className="mx-auto w-full max-w-3xl p-4 sm:p-6">
        <div className="mb-5 flex flex-wrap items-center gap-x-4 gap-y-2">
          <h1 className="text-2xl font-semibold tracking-tight">{TITLE}</h1>
          <TestBadge />
        </div>
        {!session.data || !house.data ? (
          <Opening
            what="your payments"
            error={session.failureReason ?? house.failureReason}
            onRetry={() => void Promise.all([session.refetch(), house.refetch()])}
          />
        ) : house.data.payments === 'off' ? (
          <PaymentsOff />
        ) : (
          <div className="flex flex-col gap-5 sm:gap-6">
            <MembershipsCard />
            <PurchasesCard />
          </div>
        )}
      </div>
    </Frame>
  );
}
