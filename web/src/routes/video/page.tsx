/** A recording's page: the picture, and under it what it is and whose. */
import { useQuery } from '@tanstack/react-query';
import { Link, useParams, useSearch } from '@tanstack/react-router';
import { CircleHelp, Download, Hourglass, MessagesSquare, TriangleAlert } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { ApiError, api } from '../../api/client';
import type { Recording } from '../../api/types';
import { prefer } from '../../chat/preferences';
import { lockOfRecording } from '../../gates/lock';
import type { EntryFacts } from '../../player/channel';
import { RecordingPlayer, type RecordingState } from '../../player/recording';
import { parseMoment } from '../../player/resume';
import { Button, buttonClass } from '../../ui/button';
import { Pill } from '../../ui/pill';
import { usePreferences } from '../chat/use_chat';
import { Frame } from '../frame';
import { useEntry } from '../gates/access';
import { GateBadge } from '../gates/gate_badge';
import { Opening } from '../no_answer';
import { useReturn } from '../payments/use_return';
import { dayWords } from '../recordings/words';
import { ShareButton } from '../share/button';
import { sharedVideo } from '../share/codes';
import { useTitle } from '../title';
import { useChannel } from '../watch/use_channel';
import { RecordingStage } from './stage';

/** The video does not wait for it. */
const ReplayPane = lazy(() => import('./replay'));

const WIDTH = 'mx-auto w-full max-w-[calc((100dvh-11.5rem)*16/9)] min-w-0 sm:min-w-[min(100%,36rem)] sm:px-6';

const Locked = lazy(() => import('../gates/locked'));
const PreviewBar = lazy(() => import('../gates/preview_bar'));
/** For whoever comes back from paying. */
const NothingPaid = lazy(() => import('../payments/nothing_paid'));
const PurchaseDialog = lazy(() => import('../payments/purchase_dialog'));

export function VideoPage() {
  const { id } = useParams({ from: '/videos/$id' });
  const query = useQuery({
    queryKey: ['recording', id],
    queryFn: () => api.recording(id),
    // One that is still being recorded is ready soon after its end.
    refetchInterval: ({ state }) => (state.data?.state === 'recording' ? 3000 : false),
    refetchOnWindowFocus: false,
  });
  const [back, done] = useReturn();
  const recording = query.data;
  useTitle(recording?.title ?? 'Video');
  if (recording?.state === 'ready' && recording.playlist_url)
    return (
      <>
        <Video
          key={id}
          recording={recording}
          url={recording.playlist_url}
          notice={back?.name === 'cancelled' && <NothingPaid onClose={done} />}
        />
        {back?.name === 'paid' && (
          <Suspense fallback={null}>
            <PurchaseDialog id={back.id} handle={recording.channel} onClose={done} />
          </Suspense>
        )}
      </>
    );
  const missing = query.error instanceof ApiError && query.error.status < 500 && query.error.status !== 0;
  return (
    <Frame>
      {recording || missing ? (
        <NotPlayable recording={recording ?? null} />
      ) : (
        <Opening what="the video" error={query.failureReason} onRetry={() => void query.refetch()} />
      )}
    </Frame>
  );
}

function Video({ recording, url, notice }: { recording: Recording; url: string; notice: ReactNode }) {
  const { t } = useSearch({ from: '/videos/$id' });
  const [player] = useState(
    () =>
      new RecordingPlayer({ id: recording.id, url, startS: t === undefined ? null : parseMoment(String(t)) }),
  );
  const [theater, setTheater] = useState(false);
  const state = useSyncExternalStore(player.store.subscribe, player.store.get);
  useEffect(() => {
    player.start();
    return () => player.stop();
  }, [player]);
  const entry = useEntryFor(player, recording.id, state.phase.name === 'barred');
  const lock = lockOfRecording(entry, state.phase);
  const isPreview = entry !== null && entry.access !== 'granted' && entry.previewMs !== null;
  const behind = { id: recording.id, stream: recording.stream };
  const channel = useChannel(recording.channel, lock !== null || isPreview).data ?? null;
  return (
    <Frame bare={theater}>
      <div className={theater ? 'flex h-dvh bg-black' : 'flex w-full flex-1 max-lg:flex-col'}>
        <div className={theater ? 'flex min-w-0 flex-1' : 'min-w-0 flex-1'}>
          {notice && !theater && (
            <div className="mx-auto w-full max-w-xl px-4 py-4 sm:px-6 lg:pb-0">
              <Suspense fallback={null}>{notice}</Suspense>
            </div>
          )}
          <div className={theater ? 'relative flex min-w-0 flex-1' : `${WIDTH} sm:pt-5`}>
            {lock ? (
              <Suspense fallback={NOT_YET}>
                {channel ? <Locked channel={channel} lock={lock} {...behind} /> : NOT_YET}
              </Suspense>
            ) : (
              <RecordingStage
                player={player}
                state={state}
                title={recording.title}
                poster={recording.thumbnail_url ?? null}
                // There are none for a free look.
                storyboardUrl={isPreview ? null : (recording.storyboard_url ?? null)}
                theater={theater}
                onTheater={setTheater}
              />
            )}
            {isPreview && !lock && channel && entry.access !== 'granted' && (
              <Suspense fallback={null}>
                <PreviewBar
                  channel={channel}
                  by={entry.access}
                  of="recording"
                  tier={entry.tier}
                  leftMs={previewLeftMs(state, entry.previewMs ?? 0)}
                  onPicture={theater}
                  {...behind}
                />
              </Suspense>
            )}
          </div>
          {!theater && <About recording={recording} positionMs={state.positionMs} />}
        </div>
        {!lock && !isPreview && <ChatReplay recording={recording} player={player} theater={theater} />}
      </div>
    </Frame>
  );
}

const NOT_YET = <div className="on-video aspect-video w-full bg-surface-0 sm:rounded-card" />;

/** The playlist of a free look ends where it does. */
function previewLeftMs({ durationMs, positionMs }: RecordingState, wholeMs: number): number {
  return durationMs > 0 ? Math.max(0, durationMs - positionMs) : wholeMs;
}

/** What stands before a recording; the player begins anew as soon as nothing does any more. */
function useEntryFor(player: RecordingPlayer, id: string, isBarred: boolean): EntryFacts | null {
  const { data, refetch } = useEntry('recording', id);
  const entry = data ?? null;
  const wasShut = useRef(false);
  useEffect(() => {
    if (isBarred) void refetch();
  }, [isBarred, refetch]);
  useEffect(() => {
    if (!entry) return;
    const isShut = entry.access !== 'granted';
    if (wasShut.current && !isShut) player.retry();
    wasShut.current = isShut;
  }, [entry, player]);
  return entry;
}

function ChatReplay({
  recording,
  player,
  theater,
}: {
  recording: Recording;
  player: RecordingPlayer;
  theater: boolean;
}) {
  const { open } = usePreferences();
  const { stream, started_at, stream_started_at } = recording;
  if (!open) {
    return theater ? null : (
      <div className="px-4 pt-3 sm:px-6 lg:px-2 lg:pt-5">
        <Button size="sm" className="max-lg:w-full" onClick={() => prefer({ open: true })}>
          <MessagesSquare aria-hidden size={16} />
          <span className="lg:sr-only">Show the chat</span>
        </Button>
      </div>
    );
  }
  return (
    <aside
      aria-label="Chat replay"
      className={`h-96 shrink-0 border-line max-lg:border-y lg:w-[21rem] lg:border-l xl:w-96 ${
        theater ? 'max-lg:hidden lg:h-dvh' : 'lg:sticky lg:top-14 lg:h-[calc(100dvh-3.5rem)]'
      }`}
    >
      <Suspense fallback={<p className="p-4 text-sm text-ink-3">Opening the chat</p>}>
        <ReplayPane
          stream={stream}
          handle={recording.channel}
          startedAt={stream_started_at}
          beganMs={Date.parse(started_at) - Date.parse(stream_started_at)}
          player={player}
        />
      </Suspense>
    </aside>
  );
}

function About({ recording, positionMs }: { recording: Recording; positionMs: number }) {
  const { title, channel, started_at, visibility, mp4 } = recording;
  return (
    <div className={`${WIDTH} flex flex-wrap items-start gap-x-4 gap-y-3 px-4 py-4`}>
      <div className="min-w-0 flex-1 basis-60">
        <h1 className="text-lg leading-tight font-semibold tracking-tight text-balance">{title}</h1>
        <p className="mt-1 flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-ink-3">
          <Link
            to="/@{$handle}"
            params={{ handle: channel }}
            className="font-medium text-ink-2 hover:text-ink"
          >
            @{channel}
          </Link>
          <span aria-hidden>·</span>
          <time dateTime={started_at}>{dayWords(started_at)}</time>
          {visibility !== 'public' && <Pill tone="neutral">{visibility}</Pill>}
          <GateBadge gate={recording.gate} />
        </p>
      </div>
      <div className="flex flex-wrap gap-2">
        {mp4?.url && (
          <a href={mp4.url} className={buttonClass('secondary')} download>
            <Download aria-hidden size={16} />
            MP4
          </a>
        )}
        <ShareButton
          shared={sharedVideo(recording.id, title)}
          atMs={positionMs >= SHARED_FROM_MS ? positionMs : null}
        />
      </div>
    </div>
  );
}

/** Before that, a link to the moment is a link to the beginning. */
const SHARED_FROM_MS = 5000;

/** Why there is nothing to play, and where to go instead. */
function NotPlayable({ recording }: { recording: Recording | null }) {
  if (recording?.state === 'recording') {
    return (
      <Words
        icon={<Hourglass size={28} />}
        title="This stream is still on air"
        text="Its recording can be played here when it has ended. This page looks by itself."
        action={
          <Link to="/@{$handle}" params={{ handle: recording.channel }} className={buttonClass('primary')}>
            Watch it live
          </Link>
        }
      />
    );
  }
  if (recording) {
    return (
      <Words
        icon={<TriangleAlert size={28} />}
        title="This recording cannot be played"
        text="Its files are damaged or missing."
        action={
          <Link to="/@{$handle}" params={{ handle: recording.channel }} className={buttonClass('secondary')}>
            See the channel
          </Link>
        }
      />
    );
  }
  return (
    <Words
      icon={<CircleHelp size={28} />}
      title="There is no such video"
      text="The address may be mistyped, or the video was deleted or is private."
      action={
        <Link to="/" className={buttonClass('secondary')}>
          See who is live
        </Link>
      }
    />
  );
}

function Words({
  icon,
  title,
  text,
  action,
}: {
  icon: ReactNode;
  title: string;
  text: string;
  action: ReactNode;
}) {
  return (
    <div className="m-auto flex max-w-md flex-col items-center p-8 text-center">
      <span aria-hidden className="text-ink-2">
        {icon}
      </span>
      <h1 className="mt-4 text-xl font-semibold tracking-tight">{title}</h1>
      <p className="mt-2 text-ink-2">{text}</p>
      <div className="mt-6">{action}</div>
    </div>
  );
}
