/** Beneath a picture that is shown for a while to whoever may not watch it all: how long, and how to stay. */
import { Timer } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useState } from 'react';
import type { ChannelPage } from '../../api/channels';
import type { Lock } from '../../gates/lock';
import { Announce } from '../../ui/announce';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { clock } from '../../ui/time';
import GetTicket from '../payments/get_ticket';
import { FollowButton } from '../watch/follow_button';
import { PasswordForm } from './password_form';

const ChannelButtons = lazy(() => import('../payments/channel_buttons'));

interface Behind {
  channel: ChannelPage;
  by: Lock['by'];
  of: 'stream' | 'recording';
  tier: number | null;
  id: string;
  stream: string;
}

export default function PreviewBar({
  leftMs,
  onPicture = false,
  ...behind
}: Behind & {
  leftMs: number;
  /** It lies on the picture, where there is no room beneath. */
  onPicture?: boolean;
}) {
  const words = TO_STAY[behind.by];
  return (
    <section
      aria-label="Free preview"
      className={`flex flex-wrap items-center gap-x-4 gap-y-1 border-line bg-surface-1 px-4 py-2 text-sm ${
        onPicture ? 'absolute inset-x-0 top-0' : 'border-b sm:mt-2 sm:rounded-card sm:border'
      }`}
    >
      <Announce topic="preview" words={`Free preview of ${spoken(leftMs)}. ${words}.`} />
      <Timer aria-hidden size={16} className="shrink-0 text-ink-3" />
      <p className="min-w-0 flex-1 basis-48">
        <span className="font-semibold tabular-nums">Free preview: {clock(leftMs)} left</span>
        <span className="text-ink-2"> — {words}</span>
      </p>
      <Action {...behind} />
    </section>
  );
}

const TO_STAY: Record<Lock['by'], string> = {
  members: 'Join to keep watching',
  followers: 'Follow to keep watching',
  ticket: 'Get a ticket to keep watching',
  password: 'Give the password to keep watching',
  banned: 'It ends then',
};

function spoken(ms: number): string {
  return `${Math.round(ms / 1000)} seconds`;
}

function Action({ channel, by, of, tier, id, stream }: Behind) {
  switch (by) {
    case 'members':
      return (
        <Suspense fallback={null}>
          <ChannelButtons channel={channel} only="join" least={tier ?? 1} />
        </Suspense>
      );
    case 'followers':
      return <FollowButton channel={channel} />;
    case 'ticket':
      return <GetTicket handle={channel.handle} stream={stream} />;
    case 'password':
      return (
        <InDialog label="Give the password" title={`Password of the ${of}`}>
          <PasswordForm handle={channel.handle} shut={{ of, id }} />
        </InDialog>
      );
    case 'banned':
      return null;
  }
}

function InDialog({ label, title, children }: { label: string; title: string; children: ReactNode }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="sm" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        {label}
      </Button>
      <Dialog open={open} onClose={() => setOpen(false)} title={title}>
        {children}
      </Dialog>
    </>
  );
}
