/** What stands above the messages, with the messages having more room: the raid, the poll, the pinned one. */
import { useNavigate } from '@tanstack/react-router';
import { Pin, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { chatApi } from '../../api/chat';
import type { ChatState } from '../../chat/state';
import { Button } from '../../ui/button';
import { useNow } from '../../ui/time';
import { useActs } from './acts';
import { AfterName } from './given';
import { Name } from './name';
import { PollCard } from './poll_card';

export function Cards({ state, follows }: { state: ChatState; follows: boolean }) {
  if (!state.pinned && !state.poll && !state.raid) return null;
  return (
    <div className="flex max-h-[45%] shrink-0 flex-col gap-2 overflow-y-auto border-b border-line p-2 empty:hidden">
      <RaidBanner state={state} follows={follows} />
      <PollCard state={state} />
      <Pinned state={state} />
    </div>
  );
}

function Pinned({ state }: { state: ChatState }) {
  const { handle, act } = useActs();
  const { pinned, you, emotes } = state;
  const [closed, setClosed] = useState<number | null>(null);
  if (!pinned || closed === pinned.id) return null;
  const known = new Map(emotes.map((emote) => [emote.code, emote]));
  const moderates = you?.may_moderate === true;
  return (
    <section aria-label="Pinned message" className="rounded-card border border-line bg-surface-2 p-3 text-sm">
      <div className="flex items-start gap-2">
        <Pin aria-hidden size={15} className="mt-0.5 shrink-0 text-ink-2" />
        <p className="min-w-0 flex-1 text-ink-2">
          <Name from={pinned.from} />
          <AfterName message={pinned} handle={handle} emotes={known} own={you?.name ?? null} />
        </p>
        <button
          type="button"
          aria-label={moderates ? 'Unpin' : 'Hide the pinned message'}
          title={moderates ? 'Unpin' : 'Hide'}
          onClick={() => {
            if (moderates)
              void act(
                () => chatApi.unpin(handle),
                '',
                () => chatApi.pin(handle, pinned.id),
              );
            else setClosed(pinned.id);
          }}
          className="-m-1.5 flex size-9 shrink-0 items-center justify-center rounded-md text-ink-2 hover:bg-surface-3 hover:text-ink pointer-coarse:size-11"
        >
          <X aria-hidden size={15} />
        </button>
      </div>
    </section>
  );
}

/** The room goes over to another channel; who wants to stays. */
function RaidBanner({ state, follows }: { state: ChatState; follows: boolean }) {
  const { handle, act } = useActs();
  const navigate = useNavigate();
  const { raid, you } = state;
  const [stays, setStays] = useState<string | null>(null);
  const now = useNow(raid !== null);
  const to = raid?.handle ?? null;
  const goes = follows && to !== null && stays !== to;
  const at = raid?.at ?? 0;
  useEffect(() => {
    if (!goes || to === null) return;
    const timer = setTimeout(
      () => void navigate({ to: '/@{$handle}', params: { handle: to } }),
      Math.max(0, at - Date.now()),
    );
    return () => clearTimeout(timer);
  }, [goes, to, at, navigate]);
  if (!raid) return null;
  const seconds = Math.max(0, Math.ceil((raid.at - now) / 1000));
  return (
    <section aria-label="Raid" className="rounded-card border border-line-strong bg-surface-2 p-3 text-sm">
      <p role="status" className="font-semibold">
        Off to <bdi>{raid.name}</bdi>
      </p>
      <p className="mt-0.5 text-ink-2">
        {stays === to ? 'You stay here.' : `Everybody goes over to @${raid.handle}.`}
        {stays !== to && <span className="tabular-nums"> {seconds} s</span>}
      </p>
      <div className="mt-2 flex flex-wrap gap-2">
        {stays !== to && (
          <Button size="sm" onClick={() => setStays(to)}>
            Stay here
          </Button>
        )}
        <Button
          size="sm"
          look="ghost"
          onClick={() => void navigate({ to: '/@{$handle}', params: { handle: raid.handle } })}
        >
          Go now
        </Button>
        {you?.may_moderate && (
          <Button size="sm" look="warn" onClick={() => void act(() => chatApi.cancelRaid(handle), '')}>
            Cancel the raid
          </Button>
        )}
      </div>
    </section>
  );
}
