/** The picture with everything that lies on it. The player decides; this only shows and asks. */
import { Play, VolumeX } from 'lucide-react';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import type { Recording } from '../../api/types';
import type { Player } from '../../player/player';
import type { PlayerState } from '../../player/state';
import { toggleFullScreen, togglePip, useRotation } from '../picture/screen_acts';
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
  theater,
  onTheater,
}: {
  player: Player;
  state: PlayerState;
  name: string;
  /** What can be watched instead while the channel is off air. */
  last: Recording | null;
  theater: boolean;
  onTheater: (theater: boolean) => void;
}) {
  const stage = useRef<HTMLDivElement>(null);
  const picture = useRef<HTMLDivElement>(null);
  const [statsShown, setStatsShown] = useState(false);
  const [helpShown, setHelpShown] = useState(false);
  const { idle, wake } = useIdle(stage);

  useEffect(() => (picture.current ? player.screen.attach(picture.current) : undefined), [player]);
  useRotation(stage);

  const act = {
    togglePlay: () => player.togglePlay(),
    toggleMute: () => player.screen.setMuted(!state.muted),
    volumeBy: (step: number) => player.screen.setVolume((state.muted ? 0 : state.volume) + step),
    toggleFullScreen: () => toggleFullScreen(stage.current, player.screen.video),
    togglePip: () => togglePip(player.screen.video),
    toggleTheater: () => onTheater(!theater),
    toggleStats: () => setStatsShown((shown) => !shown),
    toggleHelp: () => setHelpShown((shown) => !shown),
    liveEdge: () => player.goLive(),
    seekBy: (seconds: number) => player.seekBy(seconds),
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
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the keys of the page and the buttons do the same */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the keys of the page do the same */}
      <div
        ref={picture}
        className={`screen absolute inset-0 ${playing ? '' : 'opacity-40'}`}
        onClick={() => {
          // A finger wakes the controls first, a mouse plays and pauses; a double click does so twice.
          if (matchMedia('(pointer: coarse)').matches) {
            if (idle) wake();
          } else act.togglePlay();
        }}
        onDoubleClick={act.toggleFullScreen}
      />

      <Overlay player={player} state={state} name={name} last={last} />

      {phase.name === 'live' && state.needsTap && (
        <button
          type="button"
          onClick={() => player.play()}
          className="absolute inset-0 m-auto flex size-20 items-center justify-center rounded-full bg-ink text-surface-0 shadow-panel"
          aria-label="Play"
        >
          <Play aria-hidden size={34} fill="currentColor" />
        </button>
      )}

      {phase.name === 'live' && state.muted && !state.needsTap && (
        <button
          type="button"
          onClick={() => player.screen.setMuted(false)}
          className="absolute top-3 left-3 flex min-h-11 items-center gap-2.5 rounded-full bg-ink px-5 text-sm font-semibold text-surface-0 shadow-panel transition-colors duration-150 hover:bg-white sm:top-4 sm:left-4"
        >
          <VolumeX aria-hidden size={18} />
          Tap for sound
        </button>
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
