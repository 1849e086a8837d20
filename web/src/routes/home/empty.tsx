/** Nothing to watch: why, and what to do about it. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { RadioTower } from 'lucide-react';
import { api } from '../../api/client';
import type { StreamCard } from '../../api/discovery';
import { buttonClass } from '../../ui/button';
import { useAccount } from '../account';

/** The whole page of a server that has nothing yet. */
export function Empty() {
  const account = useAccount();
  const setup = useQuery({ queryKey: ['setup'], queryFn: api.setupNeeded, enabled: account === null }).data;
  return (
    <div className="mx-auto flex max-w-xl flex-1 flex-col items-center justify-center py-12 text-center">
      <span className="flex size-16 items-center justify-center rounded-full border border-line bg-surface-1 text-ink-2">
        <RadioTower aria-hidden size={28} />
      </span>
      {setup?.needed ? (
        <>
          <h2 className="mt-6 text-xl font-semibold tracking-tight">This server is new</h2>
          <p className="mt-2 text-ink-2">
            Its first start printed a one-time link in the terminal. Open that link to make your account and
            your channel.
          </p>
          <Link to="/setup" className={`${buttonClass('primary')} mt-8`}>
            I have the set-up code
          </Link>
        </>
      ) : (
        <>
          <h2 className="mt-6 text-xl font-semibold tracking-tight">Nobody is live right now</h2>
          <p className="mt-2 text-ink-2">
            {account
              ? 'Go live from this browser, or point OBS at your channel. Your stream appears here the moment it starts.'
              : 'Streams appear here the moment they start. No need to reload.'}
          </p>
          {account && (
            <div className="mt-8 flex flex-wrap justify-center gap-3">
              <Link to="/studio" className={buttonClass('primary')}>
                Open the studio
              </Link>
              <Link to="/dashboard" className={buttonClass('secondary')}>
                Set up OBS
              </Link>
            </div>
          )}
        </>
      )}
    </div>
  );
}

/** Over what is planned and recorded, while nothing is on air. */
export function NobodyLive({ next }: { next: StreamCard | null }) {
  return (
    <div className="mb-8 rounded-card border border-line bg-surface-1 px-5 py-4">
      <h2 className="font-semibold">Nobody is live right now</h2>
      <p className="mt-1 text-ink-2">
        {next
          ? `${next.name} is next. Streams appear here the moment they start.`
          : 'Streams appear here the moment they start; until then there are recordings.'}
      </p>
    </div>
  );
}
