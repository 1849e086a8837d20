/** What was said while the recording was live, in step with it. */
import { useQuery } from '@tanstack/react-query';
import { PanelRightClose } from 'lucide-react';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { chatApi } from '../../api/chat';
import { prefer } from '../../chat/preferences';
import type { Emote } from '../../chat/protocol';
import { Replay, streamTimeMs } from '../../chat/replay';
import type { Row } from '../../chat/rows';
import type { RecordingPlayer } from '../../player/recording';
import { Button } from '../../ui/button';
import { clock } from '../../ui/time';
import { HEAD_BUTTON } from '../chat/head_button';
import { List } from '../chat/list';

export default function ReplayPane({
  stream,
  handle,
  startedAt,
  beganMs,
  player,
}: {
  stream: string;
  handle: string;
  /** When the stream went on air. */
  startedAt: string;
  /** So far into the stream the recording begins. */
  beganMs: number;
  player: RecordingPlayer;
}) {
  const [replay] = useState(() => new Replay((from, to, after) => chatApi.replay(stream, from, to, after)));
  const { rows, state, isQuiet } = useSyncExternalStore(replay.store.subscribe, replay.store.get);
  const emotes = useEmotes(handle);
  useEffect(() => {
    const look = () => {
      const { phase } = player.store.get();
      if (phase.name === 'loading') return;
      // The element knows better than the store how far it is.
      const ms = (player.screen.video?.currentTime ?? 0) * 1000;
      replay.reach(streamTimeMs(ms, player.wallTime(ms), startedAt, beganMs));
    };
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, [replay, player, startedAt, beganMs]);
  return (
    <section aria-label="Chat replay" className="flex h-full min-h-0 flex-col bg-surface-1">
      <header className="flex min-h-12 items-center border-b border-line pr-1.5 pl-3">
        <h2 className="flex-1 text-sm font-semibold">Chat replay</h2>
        <button
          type="button"
          aria-label="Hide the chat"
          title="Hide the chat"
          onClick={() => prefer({ open: false })}
          className={HEAD_BUTTON}
        >
          <PanelRightClose aria-hidden size={17} />
        </button>
      </header>
      {state === 'failed' && (
        <div className="flex items-center gap-3 border-b border-line p-3 text-sm text-ink-2">
          <p role="status" className="flex-1">
            The chat could not be loaded.
          </p>
          <Button size="sm" onClick={() => replay.retry()}>
            Try again
          </Button>
        </div>
      )}
      <div role="log" aria-label="Chat messages" className="flex min-h-0 flex-1 flex-col">
        <List
          rows={rows}
          handle={handle}
          emotes={emotes}
          own={null}
          empty={
            state === 'ready' && isQuiet
              ? 'Nothing was said here. What is said later comes with the video.'
              : ''
          }
          timeWords={(row) => momentWords(row, beganMs)}
        />
      </div>
    </section>
  );
}

function useEmotes(handle: string) {
  return (
    useQuery({ queryKey: ['chat', handle, 'emotes'], queryFn: () => chatApi.emotes(handle) }).data?.items ??
    NONE
  );
}

const NONE: Emote[] = [];

/** In the time of the recording, which may be a part of the stream. */
const momentWords = ({ message }: Row, beganMs: number): string =>
  clock(Math.max(0, (message.stream_time_ms ?? 0) - beganMs));

/** Half of what a message may be beside its picture, and then some. */
const LOOK_MS = 200;
