import { CircleCheck } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Offers } from '../../api/payments';
import { tierName } from './words';

/** Welcomes whoever is a member from now on, with the words of the channel. */
export function NewMember({
  offers,
  tier,
  name,
}: {
  offers: Offers | undefined;
  tier: number | null | undefined;
  /** Of the channel. */
  name: string;
}) {
  return (
    <>
      <Said>
        You are a member now: {tierName(offers?.tiers ?? [], tier)} of {name}.
      </Said>
      {offers?.welcome && (
        <blockquote className="rounded-control border border-line bg-surface-2 p-4 break-words whitespace-pre-line text-ink">
          {offers.welcome}
        </blockquote>
      )}
    </>
  );
}

/** What is done, and well. */
export function Said({ children }: { children: ReactNode }) {
  return (
    <p className="flex gap-3 text-base text-ink">
      <CircleCheck aria-hidden size={22} className="mt-0.5 shrink-0 text-preview-text" />
      <span>{children}</span>
    </p>
  );
}
