/** What stands around every page of admins: the ways to the others, and a word for who is none. */
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { Notice } from '../../ui/notice';
import { useRequiredAccount } from '../account';
import { Frame } from '../frame';
import { useHereInView } from '../here_in_view';
import { Opening } from '../no_answer';
import { usePayments } from '../payments/use_payments';
import { useTitle } from '../title';
import { SECTIONS } from './sections';

export function AdminFrame({ title, children }: { title: string; children: ReactNode }) {
  useTitle(`${title} · Administration`);
  const session = useRequiredAccount();
  const isAdmin = session.data?.account.role === 'admin';
  const nav = useHereInView();
  const arePaid = usePayments() !== 'off';
  const sections = SECTIONS.filter(({ to }) => arePaid || to !== '/admin/payments');
  return (
    <Frame>
      <div className="mx-auto grid w-full max-w-6xl gap-x-8 p-4 sm:p-6 lg:grid-cols-[12rem_minmax(0,1fr)]">
        <nav
          ref={nav}
          aria-label="Administration"
          className="mb-5 flex gap-1 overflow-x-auto border-b border-line lg:sticky lg:top-20 lg:mb-0 lg:flex-col lg:self-start lg:overflow-visible lg:border-0"
        >
          {sections.map(({ to, label, icon: Icon }) => (
            <Link
              key={to}
              to={to}
              activeOptions={{ exact: true, includeSearch: false }}
              className="-mb-px inline-flex min-h-11 shrink-0 items-center gap-2.5 border-b-2 border-transparent px-3 text-sm font-medium text-ink-2 hover:text-ink aria-[current=page]:border-accent aria-[current=page]:text-ink lg:mb-0 lg:rounded-control lg:border-0 lg:aria-[current=page]:bg-surface-2"
            >
              <Icon aria-hidden size={16} />
              {label}
            </Link>
          ))}
        </nav>
        <div className="min-w-0">
          <h1 className="mb-4 text-2xl font-semibold tracking-tight sm:mb-5">{title}</h1>
          {isAdmin && <div className="flex flex-col gap-5 sm:gap-6">{children}</div>}
          {session.data && !isAdmin && (
            <Notice title="These pages are for admins of this server">
              Your account is none. Ask whoever runs the server if you should be one.
            </Notice>
          )}
          {!session.data && (
            <Opening
              what="the administration"
              error={session.failureReason}
              onRetry={() => void session.refetch()}
            />
          )}
        </div>
      </div>
    </Frame>
  );
}
