/** The picture with everything that lies on it. The player decides; this only shows and asks. */
import { Play } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useRef, useState } from 'react';
import type { Recording } from '../../api/types';
import type { Player } from '../../player/player';
import type { PlayerState } from '../../player/state';
import { screenActs, useRotation } from '../picture/screen_acts';
import { PictureArea, SoundButton } from '../picture/screen_parts';
import { useShortcuts } from '../picture/shortcuts';
import { useIdle } from '../picture/use_idle';
import { Controls } from './controls';
import { FallNotice } from './fall_notice';
import { Overlay } from './overlay';
import { StatsOverlay } from './stats_overlay';

/** The dialog library is for whoever asks. */
const ShortcutList = lazy(() => import('../picture/shortcut_list'));

export function Stage({
  player,
  state,
  name,
  last,
  follow,
  theater,
  onTheater,
  over,
}: {
  player: Player;
  state: PlayerState;
  name: string;
  /** What can be watched instead while the channel is off air. */
  last: Recording | null;
  /** How to hear of the next stream. */
  follow: ReactNode;
  theater: boolean;
  onTheater: (theater: boolean) => void;
  /** What else lies on the picture, below the controls. */
  over: ReactNode;
}) {
  const stage = useRef<HTMLDivElement>(null);
  const [statsShown, setStatsShown] = useState(false);
  const [helpShown, setHelpShown] = useState(false);
  const { idle, wake } = useIdle(stage);
  useRotation(stage);

  const act = {
    ...screenActs(player.screen, stage, state),
    togglePlay: () => player.rewind.togglePlay(),
    toggleTheater: () => onTheater(!theater),
    toggleStats: () => setStatsShown((shown) => !shown),
    toggleHelp: () => setHelpShown((shown) => !shown),
    liveEdge: () => player.rewind.goLive(),
    seekBy: (seconds: number) => player.rewind.seekBy(seconds),
    close: () => {
      if (statsShown) setStatsShown(false);
      else if (theater) onTheater(false);
    },
  };
  useShortcuts(act, wake);

  const { phase } = state;
  const playing = phase.name === 'live' || phase.name === 'host_reconnecting';
  const hideChrome = idle && playing && !state.paused && !helpShown;

  return (
    <section
      ref={stage}
      aria-label={`Live video of ${name}`}
      className={`on-video group relative w-full overflow-hidden bg-black text-ink select-none ${
        theater ? 'h-full' : 'aspect-video sm:rounded-card'
      } ${phase.name === 'live' && !theater ? 'sm:outline-1 sm:outline-line' : ''} ${hideChrome ? 'cursor-none' : ''}`}
    >
      {phase.name === 'connecting' && state.channel?.hls && <Poster url={state.channel.hls.url} />}
      <PictureArea
        screen={player.screen}
        dimmed={!playing}
        idle={idle}
        wake={wake}
        togglePlay={act.togglePlay}
        toggleFullScreen={act.toggleFullScreen}
      />

      {over}
      <Overlay player={player} state={state} name={name} last={last} follow={follow} />

      {phase.name === 'live' && state.needsTap && (
        <button
          type="button"
          onClick={() => player.rewind.play()}
          className="absolute inset-0 m-auto flex size-20 items-center justify-center rounded-full bg-ink text-surface-0 shadow-panel"
          aria-label="Play"
        >
          <Play aria-hidden size={34} fill="currentColor" />
        </button>
      )}

      {phase.name === 'live' && state.muted && !state.needsTap && (
        <SoundButton onTap={() => player.screen.setMuted(false)} />
      )}

      <FallNotice player={player} state={state} idle={hideChrome} />

      {statsShown && (
        <StatsOverlay state={state} handle={player.handle} onClose={() => setStatsShown(false)} />
      )}

      <Controls
        player={player}
        state={state}
        act={act}
        hidden={hideChrome}
        theater={theater}
        statsShown={statsShown}
        container={stage}
      />
      {helpShown && (
        <Suspense fallback={null}>
          <ShortcutList container={stage} onClose={() => setHelpShown(false)} />
        </Suspense>
      )}
    </section>
  );
}

/** The newest small picture, until the first real one. */
function Poster({ url }: { url: string }) {
  const [failed, setFailed] = useState(false);
  if (failed) return null;
  return (
    <img
      src={url.replace(/[^/]*$/, 'thumbnail.jpg')}
      alt=""
      onError={() => setFailed(true)}
      className="absolute inset-0 h-full w-full object-contain opacity-40"
    />
  );
}
