/** A channel that is not open to all: why, and what to do. */
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Ban, Lock, Ticket } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useState } from 'react';
import { type ChannelPage, channelsApi } from '../../api/channels';
import { Button } from '../../ui/button';
import { TextField } from '../../ui/field';
import { useAccount } from '../account';
import { link } from '../payments/looks';
import { useOffers } from '../payments/use_payments';
import { FollowButton } from './follow_button';

const ChannelButtons = lazy(() => import('../payments/channel_buttons'));

type BarredBy = Exclude<ChannelPage['access'], 'granted'>;

export default function Locked({ channel, by }: { channel: ChannelPage; by: BarredBy }) {
  const Icon = by === 'banned' ? Ban : by === 'ticket' ? Ticket : Lock;
  return (
    <div className="on-video flex min-h-72 items-center justify-center bg-surface-0 px-4 py-10 text-ink sm:aspect-video sm:rounded-card">
      <div className="flex w-full max-w-sm flex-col items-center text-center">
        <span className="flex size-12 items-center justify-center rounded-full bg-surface-2 text-ink-2">
          <Icon aria-hidden size={22} />
        </span>
        <Why channel={channel} by={by} />
      </div>
    </div>
  );
}

function Why({ channel, by }: { channel: ChannelPage; by: BarredBy }) {
  switch (by) {
    case 'password':
      return (
        <>
          <Said title="This channel asks for a password">Whoever invited you knows it.</Said>
          <PasswordForm handle={channel.handle} />
        </>
      );
    case 'followers':
      return (
        <>
          <Said title="This is for followers">
            Follow {channel.name} to watch. It costs nothing, and you hear of the next stream.
          </Said>
          <Act>
            <FollowButton channel={channel} />
          </Act>
        </>
      );
    case 'members':
      return <ForMembers channel={channel} />;
    case 'ticket':
      return <ForTickets channel={channel} />;
    case 'banned':
      return (
        <Said title="You are banned from this channel">
          Its moderators decided that, and they can lift it again. Other channels are open to you as before.
        </Said>
      );
  }
}

function ForMembers({ channel }: { channel: ChannelPage }) {
  const offers = useOffers(channel.handle).data;
  const sells = offers?.enabled && offers.tiers.length > 0;
  if (offers?.own_tier != null) {
    return (
      <>
        <Said title="This is for members of a higher tier">Change your tier to watch.</Said>
        <Buy channel={channel} />
      </>
    );
  }
  return (
    <>
      <Said title="This channel is for members">
        {sells
          ? `Join ${channel.name} to watch. You can end it at any time.`
          : 'Memberships are not sold here at the moment. Its owner and moderators can watch.'}
      </Said>
      {sells && <Buy channel={channel} />}
      <SignIn>Are you a member already?</SignIn>
    </>
  );
}

function ForTickets({ channel }: { channel: ChannelPage }) {
  const offers = useOffers(channel.handle).data;
  const sells = offers?.enabled && offers.tickets.length > 0;
  return (
    <>
      <Said title="This stream asks for a ticket">
        {sells
          ? `Get a ticket from ${channel.name} to watch. It is yours for this stream and its recording.`
          : 'No tickets are sold at the moment. Look again later, or ask whoever streams.'}
      </Said>
      {sells && <Buy channel={channel} />}
      <SignIn>Do you have a ticket already?</SignIn>
    </>
  );
}

function Buy({ channel }: { channel: ChannelPage }) {
  return (
    <Act>
      <Suspense fallback={null}>
        <ChannelButtons channel={channel} only="join" />
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

function Said({ title, children }: { title: string; children: ReactNode }) {
  return (
    <>
      <h2 className="mt-4 text-lg font-semibold">{title}</h2>
      <p className="mt-1 text-sm text-ink-2">{children}</p>
    </>
  );
}

function Act({ children }: { children: ReactNode }) {
  return <div className="mt-5 flex flex-wrap items-center justify-center gap-2">{children}</div>;
}

function PasswordForm({ handle }: { handle: string }) {
  const [password, setPassword] = useState('');
  const enter = useMutation({
    mutationFn: () => channelsApi.enter(handle, password),
    // The player was refused as well, and begins anew with the page.
    onSuccess: () => location.reload(),
    onError: () => setPassword(''),
  });
  return (
    <form
      className="mt-5 flex w-full flex-col gap-3 text-left"
      onSubmit={(event) => {
        event.preventDefault();
        enter.mutate();
      }}
    >
      <TextField
        label="Password of the channel"
        type="password"
        autoComplete="off"
        required
        value={password}
        error={enter.error?.message}
        onChange={(event) => setPassword(event.target.value)}
      />
      <Button type="submit" look="primary" disabled={enter.isPending || enter.isSuccess}>
        {enter.isPending || enter.isSuccess ? 'Opening' : 'Watch'}
      </Button>
    </form>
  );
}
