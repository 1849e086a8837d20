/** Instead of a picture that is not open to whoever looks: why, and what to do. */
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Ban, Lock as LockIcon, Ticket } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useEffect } from 'react';
import type { ChannelPage } from '../../api/channels';
import type { Lock } from '../../gates/lock';
import { useAccount } from '../account';
import { link } from '../payments/looks';
import { TicketList } from '../payments/ticket_list';
import { useOffers, useTicketsTo } from '../payments/use_payments';
import { tierName } from '../payments/words';
import { FollowButton } from '../watch/follow_button';
import { askAccessAgain, useAskAccessAgain } from './access';
import { PasswordForm } from './password_form';

const ChannelButtons = lazy(() => import('../payments/channel_buttons'));

interface Shown {
  channel: ChannelPage;
  lock: Lock;
  /** Of the stream or the recording that is shut. */
  id: string;
  /** The stream that tickets are sold for. */
  stream: string;
}

export default function Locked(shown: Shown) {
  const { channel, lock } = shown;
  useAskWhenSeen(channel.handle);
  const Icon = lock.by === 'banned' ? Ban : lock.by === 'ticket' ? Ticket : LockIcon;
  return (
    <div className="on-video flex min-h-72 w-full items-center justify-center bg-surface-0 px-4 py-10 text-ink sm:aspect-video sm:rounded-card">
      <div className="flex w-full max-w-sm flex-col items-center text-center">
        <span className="flex size-12 items-center justify-center rounded-full bg-surface-2 text-ink-2">
          <Icon aria-hidden size={22} />
        </span>
        <Why {...shown} />
      </div>
    </div>
  );
}

/** Whoever paid or was let in elsewhere comes back to this page. */
function useAskWhenSeen(handle: string): void {
  const queries = useQueryClient();
  useEffect(() => {
    // What was known of one's membership may be what has just ended.
    void askAccessAgain(queries, handle);
  }, [queries, handle]);
  const again = useAskAccessAgain(handle);
  useEffect(() => {
    const seen = () => {
      if (document.visibilityState === 'visible') void again();
    };
    document.addEventListener('visibilitychange', seen);
    return () => document.removeEventListener('visibilitychange', seen);
  });
}

function Why(shown: Shown) {
  const { channel, lock, id } = shown;
  switch (lock.by) {
    case 'password':
      return (
        <>
          <Said lock={lock} title={`This ${lock.of} asks for a password`}>
            Whoever invited you knows it.
          </Said>
          <PasswordForm handle={channel.handle} shut={{ of: lock.of, id }} />
        </>
      );
    case 'followers':
      return (
        <>
          <Said
            lock={lock}
            title={lock.of === 'channel' ? 'This is for followers' : `This ${lock.of} is for followers`}
          >
            Follow {channel.name} to watch. It costs nothing, and you hear of the next stream.
          </Said>
          <Act>
            <FollowButton channel={channel} />
          </Act>
        </>
      );
    case 'members':
      return <ForMembers {...shown} />;
    case 'ticket':
      return <ForTickets {...shown} />;
    case 'banned':
      return (
        <Said title="You are banned from this channel">
          Its moderators decided that, and they can lift it again. Other channels are open to you as before.
        </Said>
      );
  }
}

function ForMembers({ channel, lock }: Shown) {
  const offers = useOffers(channel.handle).data;
  const least = lock.tier ?? 1;
  const tiers = offers?.enabled ? offers.tiers : [];
  const sells = tiers.some(({ tier }) => tier >= least);
  const from = least > 1 ? ` from ${tierName(tiers, least)} on` : '';
  if (offers?.own_tier != null) {
    return (
      <>
        <Said lock={lock} title="This is for members of a higher tier">
          {sells
            ? `It is for members${from}. Change your tier to watch.`
            : 'That tier is not sold here at the moment.'}
        </Said>
        {sells && <Buy channel={channel} least={least} />}
      </>
    );
  }
  return (
    <>
      <Said lock={lock} title={`This ${lock.of} is for members${from}`}>
        {sells
          ? `Join ${channel.name} to watch. You can end it at any time.`
          : 'Memberships are not sold here at the moment. Its owner and moderators can watch.'}
      </Said>
      {sells && <Buy channel={channel} least={least} />}
      <SignIn>Are you a member already?</SignIn>
    </>
  );
}

function ForTickets({ channel, lock, stream }: Shown) {
  const tickets = useTicketsTo(channel.handle, stream).data ?? [];
  return (
    <>
      <Said lock={lock} title={`This ${lock.of} asks for a ticket`}>
        {tickets.length > 0
          ? `Get a ticket from ${channel.name} to watch. It is yours for this stream and its recording.`
          : 'No tickets are sold at the moment. Look again later, or ask whoever streams.'}
      </Said>
      {tickets.length > 0 && (
        <div className="mt-3 w-full text-left">
          <TicketList handle={channel.handle} tickets={tickets} titled={false} />
        </div>
      )}
      <SignIn>Do you have a ticket already?</SignIn>
    </>
  );
}

function Buy({ channel, least }: { channel: ChannelPage; least: number }) {
  return (
    <Act>
      <Suspense fallback={null}>
        <ChannelButtons channel={channel} only="join" least={least} />
      </Suspense>
    </Act>
  );
}

/** For whoever may be known under another name. */
function SignIn({ children }: { children: ReactNode }) {
  if (useAccount() !== null) return null;
  return (
    <p className="mt-4 text-sm text-ink-2">
      {children}{' '}
      <Link to="/login" search={{ next: location.pathname }} className={link}>
        Sign in
      </Link>
    </p>
  );
}

/** What it is, after what was: that comes first for whoever watched until now. */
function Said({ lock, title, children }: { lock?: Lock; title: string; children: ReactNode }) {
  const over = lock?.ended ? ENDED[lock.ended] : null;
  return (
    <div role="status">
      <h2 className="mt-4 text-lg font-semibold">{over ?? title}</h2>
      {over && <p className="mt-1 text-sm font-medium">{title}.</p>}
      <p className="mt-1 text-sm text-ink-2">{children}</p>
    </div>
  );
}

const ENDED = {
  access: 'Your access has ended',
  preview: 'Your free preview is over',
};

function Act({ children }: { children: ReactNode }) {
  return <div className="mt-5 flex flex-wrap items-center justify-center gap-2">{children}</div>;
}
