/** Below the messages: how one may write, why one may not and what to do about it, and the field. */
import { Link } from '@tanstack/react-router';
import { X } from 'lucide-react';
import { useState } from 'react';
import { modeChips, type Standing, standingOf } from '../../chat/standing';
import type { ChatState } from '../../chat/state';
import { Button, buttonClass } from '../../ui/button';
import { clock, useNow } from '../../ui/time';
import { FollowButton } from '../watch/follow_button';
import { useChannel } from '../watch/use_channel';
import { useActs } from './acts';
import { Composer } from './composer';
import { NoteLine } from './note_line';
import { ReactionBar } from './reaction_bar';

export function Foot({ state, reactions }: { state: ChatState; reactions: boolean }) {
  const { chat } = useActs();
  const { you, modes, waitUntil, barred, guestName, link, warned, refused } = state;
  const follows = useFollows(modes.followers_minutes !== null);
  const waits = (waitUntil !== null && waitUntil > Date.now()) || you?.restraint != null;
  const now = useNow(waits || refused !== null);
  const standing = you && standingOf(you, modes, { waitUntil, barred, guestName, follows, now });
  const mayType = standing === null || standing.mayType;
  const [wrote, setWrote] = useState(false);
  if (you && mayType && !wrote) setWrote(true);
  const chips = modeChips(modes);
  return (
    <div className="border-t border-line p-2.5 pb-[max(0.625rem,env(safe-area-inset-bottom))]">
      {warned !== null && (
        <div role="alert" className="mb-2 rounded-control border border-warn-line bg-warn-soft p-3 text-sm">
          <p className="font-semibold">A moderator warns you</p>
          <p className="mt-0.5 break-words text-ink-2">{warned}</p>
          <Button size="sm" className="mt-2" onClick={() => chat.dismissWarning()}>
            I have read it
          </Button>
        </div>
      )}
      <NoteLine />
      {refused && now - refused.at < REFUSED_MS && (
        <p role="status" className="mb-2 text-sm text-warn-text">
          {refused.words}
        </p>
      )}
      {chips.length > 0 && (
        <ul aria-label="How one may write" className="mb-2 flex flex-wrap gap-1">
          {chips.map(({ label, means }) => (
            <li
              key={label}
              title={means}
              className="rounded-md border border-line bg-surface-2 px-1.5 py-0.5 text-xs font-medium text-ink-2"
            >
              {label}
            </li>
          ))}
        </ul>
      )}
      {reactions && you && <ReactionBar state={state} />}
      {standing && <WhyNot standing={standing} now={now} />}
      {you && mayType && <OtherName key={state.otherName} words={state.otherName} />}
      {/* Where one wrote the field stays, with the focus that may be in it. */}
      {you && (wrote || mayType || standing.action === 'wait') && (
        <Composer state={state} muted={link.name === 'closed' || !mayType} waits={standing !== null} />
      )}
    </div>
  );
}

/** Whether one follows the channel, where that matters; the owner need not. */
function useFollows(matters: boolean): boolean | null {
  const { handle } = useActs();
  const channel = useChannel(handle).data;
  return matters && channel ? channel.following || channel.owner : null;
}

function WhyNot({ standing, now }: { standing: Standing; now: number }) {
  const { words, action, until, mayType } = standing;
  if (mayType && until !== null) {
    return (
      <p className="mb-2 text-sm text-ink-2">
        <span role="status">{words}</span>:{' '}
        <span className="font-semibold text-ink tabular-nums">{secondsLeft(until - now)}</span>
      </p>
    );
  }
  return (
    <div className="mb-2 flex flex-wrap items-center gap-x-3 gap-y-2 text-sm text-ink-2">
      <p role="status" className="min-w-0 flex-1 basis-40">
        {words}
      </p>
      {until !== null && (
        <span className="font-semibold text-ink tabular-nums">{clock(until - now + 999)}</span>
      )}
      {(action === 'sign_in' || action === 'name') && (
        <Link
          to="/login"
          search={{ next: location.pathname + location.search }}
          className={buttonClass('secondary', 'sm')}
        >
          Sign in
        </Link>
      )}
      {action === 'name' && <GuestName />}
      {action === 'follow' && <Follow />}
    </div>
  );
}

function Follow() {
  const { handle } = useActs();
  const channel = useChannel(handle).data;
  return channel && !channel.following ? <FollowButton channel={channel} /> : null;
}

/** In seconds, as the mode has it, where it is not for long. */
function secondsLeft(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 100 ? `${seconds} s` : clock(seconds * 1000);
}

/** To a guest who is called otherwise than it wished. */
function OtherName({ words }: { words: string | null }) {
  const [state, setState] = useState<'told' | 'asking' | 'read'>('told');
  if (words === null || state === 'read') return null;
  return (
    <div className="mb-2 flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-ink-2">
      <p role="status" className="min-w-0 flex-1 basis-40 break-words">
        {words}
      </p>
      {state === 'told' && (
        <Button size="sm" onClick={() => setState('asking')}>
          Another name
        </Button>
      )}
      <button
        type="button"
        aria-label="Keep this name"
        title="Keep this name"
        onClick={() => setState('read')}
        className="flex size-9 shrink-0 items-center justify-center rounded-md hover:bg-surface-2 hover:text-ink pointer-coarse:size-11"
      >
        <X aria-hidden size={15} />
      </button>
      {state === 'asking' && <GuestName />}
    </div>
  );
}

function GuestName() {
  const { chat } = useActs();
  const [name, setName] = useState('');
  return (
    <form
      className="flex w-full gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim()) chat.setGuestName(name.trim());
      }}
    >
      <input
        aria-label="Your name as a guest"
        placeholder="Your name"
        value={name}
        maxLength={30}
        autoComplete="nickname"
        onChange={({ target }) => setName(target.value)}
        className="min-h-11 min-w-0 flex-1 rounded-control border border-line-strong/60 bg-surface-0 px-3 text-base text-ink sm:text-sm"
      />
      <Button type="submit" look="primary" disabled={name.trim() === ''}>
        Join in
      </Button>
    </form>
  );
}

const REFUSED_MS = 6000;
