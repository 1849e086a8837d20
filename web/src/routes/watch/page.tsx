/** A channel's page: the picture, and under it who is on air. */
import { useParams } from '@tanstack/react-router';
import { Eye } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useEffect, useState, useSyncExternalStore } from 'react';
import type { ChannelPage } from '../../api/channels';
import { playerFor } from '../../early';
import { lockOfChannel } from '../../gates/lock';
import type { ChannelFacts } from '../../player/channel';
import type { Player } from '../../player/player';
import type { PlayerState } from '../../player/state';
import { Avatar } from '../../ui/avatar';
import { Pill } from '../../ui/pill';
import { ago, COUNT, clock, useNow } from '../../ui/time';
import { useChat, useChatState } from '../chat/use_chat';
import { Frame } from '../frame';
import { usePayments } from '../payments/use_payments';
import { useReturn } from '../payments/use_return';
import { usePastStreams } from '../recordings/past_streams';
import { ShareButton } from '../share/button';
import { sharedChannel } from '../share/codes';
import { useTitle } from '../title';
import { ChatSide } from './chat_side';
import { FollowButton, Following } from './follow_button';
import { StreamTitle } from './said';
import { Stage } from './stage';
import { ChannelTabs } from './tabs';
import { useChannel } from './use_channel';

/** What lies on the picture of it comes when the picture is there. */
const Bursts = lazy(() => import('../chat/bursts'));
const OnScreen = lazy(() => import('../chat/on_screen'));
/** Instead of the picture, for who is barred. */
const Locked = lazy(() => import('../gates/locked'));
const PreviewBar = lazy(() => import('../gates/preview_bar'));
/** What is paid is for servers on which creators are paid. */
const GiftDialog = lazy(() => import('../payments/gift_dialog'));
const ChannelButtons = lazy(() => import('../payments/channel_buttons'));
const NothingPaid = lazy(() => import('../payments/nothing_paid'));
const PurchaseDialog = lazy(() => import('../payments/purchase_dialog'));

export function WatchPage() {
  const { handle } = useParams({ from: '/@{$handle}' });
  const [back, done] = useReturn();
  const arePaid = usePayments() !== 'off';
  return (
    <>
      <Watch
        key={handle}
        handle={handle}
        notice={back?.name === 'cancelled' && <NothingPaid onClose={done} />}
      />
      {back?.name === 'paid' && (
        <Suspense fallback={null}>
          <PurchaseDialog id={back.id} handle={handle} onClose={done} />
        </Suspense>
      )}
      {back?.name === 'gift' && arePaid && (
        <Suspense fallback={null}>
          <GiftDialog handle={handle} purchase={back.id} onClose={done} />
        </Suspense>
      )}
    </>
  );
}

/** What the page heard is news for a player that was shut out: it then asks for itself. */
function useNewsFor(player: Player, isLocked: boolean, newsAt: number): void {
  useEffect(() => {
    if (isLocked && newsAt > 0) void player.askEntry();
  }, [player, isLocked, newsAt]);
}

function Watch({ handle, notice }: { handle: string; notice: ReactNode }) {
  const [player] = useState(() => playerFor(handle));
  const [theater, setTheater] = useState(false);
  const state = useSyncExternalStore(player.store.subscribe, player.store.get);
  useEffect(() => {
    player.start();
    return () => player.stop();
  }, [player]);

  const name = state.channel?.name ?? handle;
  const onAir = state.phase.name === 'live' || state.phase.name === 'host_reconnecting';
  // On air for others.
  const isBarred = state.phase.name === 'barred';
  const offAir = state.phase.name === 'offline' || state.phase.name === 'ended';
  const past = usePastStreams(handle, offAir);
  const page = useChannel(handle);
  const shown = page.data ?? null;
  const { channel } = state;
  const lock = channel && lockOfChannel(channel, state.phase);
  useNewsFor(player, lock !== null, page.dataUpdatedAt);
  const stream = channel?.said?.id ?? '';
  useTitle(onAir ? `${name} is live` : name, onAir);
  // A free look is none into the chat.
  const isShut = lock !== null || (channel?.entry != null && channel.entry.access !== 'granted');
  const withChat = !isShut && state.phase.name !== 'not_found';
  const chat = useChat(handle, player, withChat);
  const room = useChatState(chat);
  const arePaid = usePayments() !== 'off';
  const onScreen = onAir && (
    <Suspense fallback={null}>
      <OnScreen state={room} over={theater} />
    </Suspense>
  );

  const preview = onAir && shown && channel && (
    <Preview shown={shown} channel={channel} endsAt={state.previewEndsAt} theater={theater} />
  );

  return (
    <Frame live={onAir} bare={theater}>
      <div className={theater ? 'flex h-dvh bg-black' : 'flex w-full flex-1 max-lg:flex-col'}>
        <div className={theater ? 'flex min-w-0 flex-1' : 'min-w-0 flex-1 max-lg:contents'}>
          {notice && !theater && (
            <div className="order-first mx-auto w-full max-w-xl px-4 py-4 sm:px-6 lg:pb-0">
              <Suspense fallback={null}>{notice}</Suspense>
            </div>
          )}
          <div
            className={
              theater
                ? 'flex min-w-0 flex-1'
                : 'watch-stage order-1 mx-auto w-full max-w-[calc((100dvh-11.5rem)*16/9)] min-w-0 max-lg:sticky max-lg:top-14 max-lg:z-20 sm:min-w-[min(100%,36rem)] sm:px-6 sm:pt-5'
            }
          >
            {lock ? (
              <Suspense fallback={NOT_YET}>
                {shown ? <Locked channel={shown} lock={lock} id={stream} stream={stream} /> : NOT_YET}
              </Suspense>
            ) : (
              <Stage
                player={player}
                state={state}
                name={name}
                last={past.items[0] ?? null}
                follow={shown && !shown.owner && <FollowButton channel={shown} />}
                theater={theater}
                onTheater={setTheater}
                over={
                  <>
                    <Suspense fallback={null}>
                      <Bursts chat={chat} />
                    </Suspense>
                    {theater && onScreen}
                    {theater && preview}
                  </>
                }
              />
            )}
            {!theater && preview}
          </div>
          {!theater && (
            <div className="order-3 min-w-0">
              {onScreen}
              <StreamTitle said={onAir || isBarred ? (channel?.said ?? null) : null} />
              <About
                handle={handle}
                name={name}
                state={state}
                onAir={onAir || isBarred}
                shown={shown}
                arePaid={arePaid}
              />
              {shown && <ChannelTabs channel={shown} offAir={offAir} />}
            </div>
          )}
        </div>
        {withChat && <ChatSide chat={chat} theater={theater} />}
      </div>
    </Frame>
  );
}

const NOT_YET = <div className="on-video aspect-video bg-surface-0 sm:rounded-card" />;

/** While what is on air is shown for a while to whoever may not watch it all. */
function Preview({
  shown,
  channel: { entry, said },
  endsAt,
  theater,
}: {
  shown: ChannelPage;
  channel: ChannelFacts;
  endsAt: number | null;
  theater: boolean;
}) {
  const now = useNow(endsAt !== null);
  if (endsAt === null || !entry || entry.access === 'granted' || !said) return null;
  return (
    <Suspense fallback={null}>
      <PreviewBar
        channel={shown}
        by={entry.access}
        of="stream"
        tier={entry.tier}
        id={said.id}
        stream={said.id}
        leftMs={Math.max(0, endsAt - now)}
        onPicture={theater}
      />
    </Suspense>
  );
}

function About({
  handle,
  name,
  state,
  onAir,
  shown,
  arePaid,
}: {
  handle: string;
  name: string;
  state: PlayerState;
  onAir: boolean;
  shown: ChannelPage | null;
  /** Whether creators are paid on this server. */
  arePaid: boolean;
}) {
  const now = useNow();
  const { channel, viewers, phase } = state;
  if (phase.name === 'not_found') return <h1 className="sr-only">No channel named {handle}</h1>;
  return (
    <div className="mx-auto flex w-full max-w-[calc((100dvh-11.5rem)*16/9)] min-w-0 flex-wrap items-center gap-x-4 gap-y-3 px-4 py-4 sm:min-w-[min(100%,36rem)] sm:px-6">
      <div className="flex min-w-0 flex-1 basis-full items-center gap-4 sm:basis-0">
        <Avatar name={name} url={shown?.avatar_url ?? null} live={onAir} />
        <div className="min-w-0">
          <h1 className="truncate text-lg leading-tight font-semibold tracking-tight">{name}</h1>
          <p className="mt-0.5 truncate text-sm text-ink-3">@{handle}</p>
        </div>
      </div>
      <div className="flex basis-full items-center gap-3 text-sm text-ink-2 tabular-nums empty:hidden sm:basis-auto">
        {onAir ? (
          <>
            <Pill tone="live" dot>
              Live
            </Pill>
            {channel?.startedAt && (
              <time dateTime={channel.startedAt} title="Time on air">
                {clock(now - Date.parse(channel.startedAt))}
              </time>
            )}
            {viewers !== null && (
              <span className="inline-flex items-center gap-1.5" title="Watching now">
                <Eye aria-hidden size={16} />
                {COUNT.format(viewers)}
                <span className="sr-only">watching</span>
              </span>
            )}
          </>
        ) : (
          channel?.endedAt && <span>Last live {ago(channel.endedAt, now)}</span>
        )}
      </div>
      {shown && <Following channel={shown} />}
      {shown && !shown.owner && shown.access !== 'banned' && arePaid && (
        <Suspense fallback={null}>
          <ChannelButtons channel={shown} />
        </Suspense>
      )}
      <ShareButton shared={sharedChannel(handle, name)} />
    </div>
  );
}
