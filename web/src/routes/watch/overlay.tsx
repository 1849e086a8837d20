/** Every state that is not simply the picture: an icon, what it is, and what to do. */
import { Link } from '@tanstack/react-router';
import {
  CalendarClock,
  CalendarX2,
  CircleHelp,
  CircleSlash,
  Flag,
  Lock,
  Moon,
  RadioTower,
  TriangleAlert,
  Users,
  Volume2,
  WifiOff,
} from 'lucide-react';
import { lazy, type ReactNode, Suspense } from 'react';
import type { Recording } from '../../api/types';
import type { Planned } from '../../player/channel';
import type { Player } from '../../player/player';
import { SOUND } from '../../player/quality';
import type { PlayerState } from '../../player/state';
import { Button, buttonClass } from '../../ui/button';
import { Pill } from '../../ui/pill';
import { Spinner } from '../../ui/spinner';
import { ago, useNow } from '../../ui/time';
import { AddToCalendar, countdownWords, startWords } from './next_stream';

/** Few streams have a gate. */
const PlannedGate = lazy(() => import('../gates/planned_gate'));

interface Message {
  icon: ReactNode;
  title: string;
  text: string;
  /** What counts up or down: shown, and not read out again every second. */
  count?: string | undefined;
  /** What counts is what the page is there for. */
  loud?: boolean;
  action: ReactNode;
}

export function Overlay({
  player,
  state,
  name,
  last,
  follow,
}: {
  player: Player;
  state: PlayerState;
  name: string;
  last: Recording | null;
  follow: ReactNode;
}) {
  const now = useNow(state.phase.name !== 'live');
  const message = messageFor(player, state, name, last, follow, now);
  return (
    <div
      className={message ? 'absolute inset-0 flex items-center justify-center bg-black/70 p-4' : 'sr-only'}
    >
      <div className="flex max-w-sm flex-col items-center text-center">
        {message && (
          <span aria-hidden className="mb-2 text-ink-2 sm:mb-3">
            {message.icon}
          </span>
        )}
        <div role="status">
          {message ? (
            <>
              <p className="text-base font-semibold sm:text-lg">{message.title}</p>
              <p className="mt-1 text-sm text-ink-2 sm:mt-1.5">{message.text}</p>
            </>
          ) : (
            'Live'
          )}
        </div>
        {message?.count && (
          <p
            className={
              message.loud
                ? 'mt-2 text-2xl font-semibold tracking-tight tabular-nums sm:mt-3 sm:text-4xl'
                : 'text-sm text-ink-2 tabular-nums'
            }
          >
            {message.count}
          </p>
        )}
        {message && <div className="mt-3 flex flex-wrap justify-center gap-2 sm:mt-5">{message.action}</div>}
      </div>
    </div>
  );
}

function messageFor(
  player: Player,
  state: PlayerState,
  name: string,
  last: Recording | null,
  follow: ReactNode,
  now: number,
): Message | null {
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
  const again = last && (
    <Link
      to="/videos/$id"
      params={{ id: last.id }}
      className={buttonClass(channel?.next ? 'secondary' : 'primary')}
    >
      Watch the last stream
    </Link>
  );
  const studio = channel?.owner && (
    <Link to="/studio" className={buttonClass('primary')}>
      Open the studio
    </Link>
  );
  switch (phase.name) {
    case 'live':
      return state.pinned === SOUND
        ? {
            icon: <Volume2 size={28} />,
            title: 'Sound only',
            text: 'You chose to listen without a picture.',
            action: <Button onClick={() => void player.chooseQuality(null)}>Show the picture</Button>,
          }
        : onlySound(state)
          ? {
              icon: <Volume2 size={28} />,
              title: 'Sound only',
              text: `${name} sends no picture. It comes by itself when there is one.`,
              action: home,
            }
          : null;
    case 'connecting': {
      const slow = now - phase.since > SLOW_MS;
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
        text: slow ? `Joining ${name} takes longer than usual.` : `Joining ${name}.`,
        action: slow && tryNow,
      };
    }
    case 'reconnecting':
      return {
        icon: <WifiOff size={28} />,
        title: 'Reconnecting',
        text: phase.reason,
        count: nextTry(phase.retryAt, now),
        action: tryNow,
      };
    case 'host_reconnecting':
      return {
        icon: <RadioTower size={28} />,
        title: 'Host reconnecting',
        text: `${name} lost the connection. The picture comes back by itself when they are back.`,
        action: home,
      };
    case 'offline':
      if (channel?.next) return comes(player.handle, channel.next, now, follow, again || home);
      if (channel?.cancelled) {
        return {
          icon: <CalendarX2 size={28} />,
          title: `${channel.cancelled.title || 'The next stream'} was cancelled`,
          text: `It was planned for ${startWords(channel.cancelled)} and will not take place.`,
          action: studio || again || home,
        };
      }
      return {
        icon: <Moon size={28} />,
        title: `${name} is offline`,
        text: 'This page starts by itself when the next stream begins.',
        count: channel?.endedAt ? `Last live ${ago(channel.endedAt, now)}.` : undefined,
        action: studio || again || home,
      };
    case 'ended':
      if (channel?.next) return comes(player.handle, channel.next, now, follow, again || home);
      return {
        icon: <Flag size={28} />,
        title: 'The stream has ended',
        text: 'Thanks for watching. If the host keeps a recording, it appears below. The next stream starts here by itself.',
        action: again || home,
      };
    case 'not_found':
      return {
        icon: <CircleHelp size={28} />,
        title: `There is no channel @${player.handle}`,
        text: 'The address may be mistyped, or the channel was removed.',
        action: home,
      };
    // What is shut has a panel of its own; here it is not known yet what for.
    case 'barred':
      if (!channel)
        return { icon: <Spinner size={28} />, title: 'Connecting', text: `Joining ${name}.`, action: null };
      return {
        icon: <Lock size={28} />,
        title: 'You cannot watch this now',
        text: 'The server does not let you in. It is asked again by itself.',
        action: tryNow,
      };
    case 'server_full':
      return {
        icon: <Users size={28} />,
        title: 'The server is full',
        text: 'Every place is taken right now.',
        count: nextTry(phase.retryAt, now),
        action: tryNow,
      };
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

/** The countdown: the next stream, when that is here, and what to do until then. */
function comes(handle: string, next: Planned, now: number, follow: ReactNode, otherwise: ReactNode): Message {
  return {
    icon: <CalendarClock size={28} className="text-preview-text" />,
    title: next.title || 'The next stream',
    text: startWords(next),
    count: countdownWords(next, now),
    loud: Date.parse(next.at) > now,
    action: (
      <>
        {next.gate.who !== 'everyone' && (
          <Suspense fallback={null}>
            <PlannedGate handle={handle} stream={next.id} gate={next.gate} title={next.title} />
          </Suspense>
        )}
        {follow}
        <span className={next.gate.who === 'ticket' ? 'max-sm:hidden' : ''}>
          <AddToCalendar planned={next} />
        </span>
        {/* On a phone a third does not fit, and what it leads to is near. */}
        {follow ? <span className="max-sm:hidden">{otherwise}</span> : otherwise}
      </>
    ),
  };
}

function onlySound({ stats }: PlayerState): boolean {
  return stats !== null && stats.framesDecoded === 0 && stats.packetsReceived > 0;
}

function nextTry(at: number | null, now: number): string {
  const seconds = at === null ? 0 : Math.ceil((at - now) / 1000);
  return seconds > 0 ? `Next try in ${seconds} s.` : 'Trying again.';
}

/** A join takes well under a second; after this long a person wants to do something. */
const SLOW_MS = 4000;
