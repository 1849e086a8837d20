/** Every state that is not simply the picture: an icon, what it is, and what to do. */
import { Link } from '@tanstack/react-router';
import {
  CircleHelp,
  CircleSlash,
  Flag,
  Moon,
  RadioTower,
  TriangleAlert,
  Users,
  Volume2,
  WifiOff,
} from 'lucide-react';
import type { ReactNode } from 'react';
import type { Player, PlayerState } from '../../player/player';
import { Button, buttonClass } from '../../ui/button';
import { Pill } from '../../ui/pill';
import { Spinner } from '../../ui/spinner';
import { ago, useNow } from '../../ui/time';

interface Message {
  icon: ReactNode;
  title: string;
  text: string;
  action?: ReactNode;
}

export function Overlay({ player, state, name }: { player: Player; state: PlayerState; name: string }) {
  const now = useNow(state.phase.name !== 'live');
  const message = messageFor(player, state, name, now);
  return (
    <div
      role="status"
      className={message ? 'absolute inset-0 flex items-center justify-center bg-black/70 p-4' : 'sr-only'}
    >
      {message ? (
        <div className="flex max-w-sm flex-col items-center text-center">
          <span aria-hidden className="mb-2 text-ink-2 sm:mb-3">
            {message.icon}
          </span>
          <p className="text-base font-semibold sm:text-lg">{message.title}</p>
          <p className="mt-1 text-sm text-ink-2 sm:mt-1.5">{message.text}</p>
          {message.action && (
            <div className="mt-3 flex flex-wrap justify-center gap-2 sm:mt-5">{message.action}</div>
          )}
        </div>
      ) : (
        'Live'
      )}
    </div>
  );
}

function messageFor(player: Player, state: PlayerState, name: string, now: number): Message | null {
  const { phase, channel } = state;
  const tryNow = (
    <Button look="primary" onClick={() => player.retryNow()}>
      Try now
    </Button>
  );
  const home = (
    <Link to="/" className={buttonClass('secondary')}>
      See who is live
    </Link>
  );
  const studio = channel?.owner && (
    <Link to="/studio" className={buttonClass('primary')}>
      Open the studio
    </Link>
  );
  switch (phase.name) {
    case 'live':
      return onlySound(state)
        ? { icon: <Volume2 size={28} />, title: 'Sound only', text: `${name} sends no picture.` }
        : null;
    case 'connecting':
      return {
        icon: (
          <span className="flex flex-col items-center gap-4">
            {channel?.state === 'live' && (
              <Pill tone="live" dot>
                Live
              </Pill>
            )}
            <Spinner size={28} />
          </span>
        ),
        title: 'Connecting',
        text: `Joining ${name}.`,
      };
    case 'reconnecting': {
      const seconds = phase.retryAt === null ? 0 : Math.ceil((phase.retryAt - now) / 1000);
      return {
        icon: <WifiOff size={28} />,
        title: 'Reconnecting',
        text: `${phase.reason} ${seconds > 0 ? `Next try in ${seconds} s.` : 'Trying again.'}`,
        action: tryNow,
      };
    }
    case 'host_reconnecting':
      return {
        icon: <RadioTower size={28} />,
        title: 'Host reconnecting',
        text: `${name} lost the connection. The picture comes back by itself when they are back.`,
      };
    case 'offline':
      return {
        icon: <Moon size={28} />,
        title: `${name} is offline`,
        text: `${channel?.endedAt ? `Last live ${ago(channel.endedAt, now)}. ` : ''}This page starts by itself when the next stream begins.`,
        action: studio || home,
      };
    case 'ended':
      return {
        icon: <Flag size={28} />,
        title: 'The stream has ended',
        text: 'Thanks for watching. This page starts by itself when the next stream begins.',
        action: home,
      };
    case 'not_found':
      return {
        icon: <CircleHelp size={28} />,
        title: `There is no channel @${player.handle}`,
        text: 'The address may be mistyped, or the channel was removed.',
        action: home,
      };
    case 'server_full': {
      const seconds = phase.retryAt === null ? 0 : Math.ceil((phase.retryAt - now) / 1000);
      return {
        icon: <Users size={28} />,
        title: 'The server is full',
        text: `Every place is taken right now. ${seconds > 0 ? `Next try in ${seconds} s.` : 'Trying again.'}`,
        action: tryNow,
      };
    }
    case 'unsupported':
      return {
        icon: <CircleSlash size={28} />,
        title: 'This browser cannot play the stream',
        text: `${phase.reason} A current Chrome, Edge, Safari or Firefox on another device may.`,
        action: tryNow,
      };
    case 'failed':
      return {
        icon: <TriangleAlert size={28} className="text-warn-text" />,
        title: 'The video cannot be played',
        text: phase.reason,
        action: tryNow,
      };
  }
}

function onlySound({ stats }: PlayerState): boolean {
  return stats !== null && stats.framesDecoded === 0 && stats.packetsReceived > 0;
}
