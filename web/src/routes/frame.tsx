/** What stands around every page: the lamp, the ways to the other pages, the account. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Search } from 'lucide-react';
import { lazy, type ReactNode, Suspense } from 'react';
import { buttonClass } from '../ui/button';
import { Logo } from '../ui/logo';
import { useAccount } from './account';
import { Announcement } from './announcement';
import { useHouseColour } from './house_colour';
import { HouseLinks } from './house_links';
import { instanceQuery } from './instance';
import { PLACES } from './places';

/** Its menu library is for whoever is signed in; viewers do not wait for it. */
const AccountMenu = lazy(() => import('./account_menu'));
const Bell = lazy(() => import('./notifications/bell'));

export function Frame({
  children,
  live = false,
  bare = false,
}: {
  children: ReactNode;
  live?: boolean;
  /** Without the header: theater. */
  bare?: boolean;
}) {
  const account = useAccount();
  const house = useQuery(instanceQuery).data;
  useHouseColour(house?.accent);
  return (
    <>
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-control focus:bg-ink focus:px-4 focus:py-3 focus:text-surface-0"
      >
        Skip to the page
      </a>
      {!bare && <Announcement />}
      {!bare && (
        <header className="sticky top-0 z-30 border-b border-line bg-surface-0/90 backdrop-blur">
          <div className="mx-auto flex h-14 max-w-[1680px] items-center gap-2 px-4 sm:gap-6 sm:px-6">
            <Link
              to="/"
              aria-label={`${house?.name ?? 'Tallylight'}, home`}
              className="min-w-0 rounded-md py-2"
            >
              <Logo name={house?.name ?? ''} live={live} />
            </Link>
            {account && (
              <nav aria-label="Main" className="ml-2 hidden shrink-0 gap-1 sm:flex">
                {PLACES.map(({ to, label }) => (
                  <Link
                    key={to}
                    to={to}
                    activeOptions={{ exact: to === '/', includeSearch: false }}
                    className="rounded-control px-3 py-2 text-sm font-medium text-ink-2 hover:text-ink aria-[current=page]:bg-surface-2 aria-[current=page]:text-ink"
                  >
                    {label}
                  </Link>
                ))}
              </nav>
            )}
            <div className="ml-auto flex shrink-0 items-center gap-1">
              <Link to="/search" aria-label="Search" className={buttonClass('ghost')}>
                <Search aria-hidden size={18} />
              </Link>
              {account === null && (
                <Link to="/login" className={buttonClass('ghost')}>
                  Sign in
                </Link>
              )}
              {account && (
                <Suspense fallback={null}>
                  <Bell />
                  <AccountMenu account={account} />
                </Suspense>
              )}
            </div>
          </div>
        </header>
      )}
      <main id="main" className="flex w-full flex-1 flex-col">
        {children}
      </main>
      {!bare && <HouseLinks />}
    </>
  );
}
