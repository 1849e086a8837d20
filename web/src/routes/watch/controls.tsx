import {
  Activity,
  Keyboard,
  Maximize,
  Minimize,
  Pause,
  PictureInPicture2,
  Play,
  RectangleHorizontal,
  Volume1,
  Volume2,
  VolumeX,
} from 'lucide-react';
import { lazy, type ReactNode, type RefObject, Suspense, useEffect, useState } from 'react';
import type { Player, PlayerState } from '../../player/player';

/** Its menu library is not to hold up the picture. */
const QualityMenu = lazy(() => import('./quality_menu'));

interface Acts {
  togglePlay: () => void;
  toggleMute: () => void;
  toggleFullScreen: () => void;
  togglePip: () => void;
  toggleTheater: () => void;
  toggleStats: () => void;
  toggleHelp: () => void;
}

export function Controls({
  player,
  state,
  act,
  hidden,
  theater,
  statsShown,
  container,
}: {
  player: Player;
  state: PlayerState;
  act: Acts;
  hidden: boolean;
  theater: boolean;
  statsShown: boolean;
  container: RefObject<HTMLElement | null>;
}) {
  const fullScreen = useFullScreen();
  const { phase, stats } = state;
  const usable = phase.name === 'live' || phase.name === 'host_reconnecting';
  if (!usable) return null;
  const VolumeIcon = state.muted || state.volume === 0 ? VolumeX : state.volume < 0.5 ? Volume1 : Volume2;
  return (
    <div
      data-controls
      className={`pointer-events-none absolute inset-x-0 bottom-0 bg-linear-to-t from-black/80 via-black/45 to-transparent px-1 pt-12 pb-[max(0.25rem,env(safe-area-inset-bottom))] transition-opacity duration-150 sm:px-3 sm:pb-2 ${
        hidden ? 'opacity-0 focus-within:opacity-100' : ''
      }`}
    >
      <div className={`flex items-center ${hidden ? '' : 'pointer-events-auto'}`}>
        <ControlButton label={state.paused ? 'Play' : 'Pause'} hint="K" onClick={act.togglePlay}>
          {state.paused ? <Play size={22} fill="currentColor" /> : <Pause size={22} fill="currentColor" />}
        </ControlButton>
        <ControlButton label={state.muted ? 'Sound on' : 'Mute'} hint="M" onClick={act.toggleMute}>
          <VolumeIcon size={22} />
        </ControlButton>
        {player.screen.canSetVolume && <Volume player={player} state={state} />}
        <LiveMark
          phase={phase.name}
          paused={state.paused}
          latencyMs={stats?.latencyMs ?? null}
          onClick={act.togglePlay}
        />
        <div className="ml-auto flex items-center">
          <Suspense fallback={null}>
            <QualityMenu player={player} state={state} container={container} onStats={act.toggleStats} />
          </Suspense>
          <ControlButton
            label="Statistics"
            hint="Shift+S"
            pressed={statsShown}
            onClick={act.toggleStats}
            wide
          >
            <Activity size={20} />
          </ControlButton>
          <ControlButton label="Keyboard shortcuts" hint="?" onClick={act.toggleHelp} wide>
            <Keyboard size={20} />
          </ControlButton>
          {document.pictureInPictureEnabled && (
            <ControlButton label="Picture in picture" hint="I" onClick={act.togglePip}>
              <PictureInPicture2 size={20} />
            </ControlButton>
          )}
          {!fullScreen && (
            <ControlButton label="Theater" hint="T" pressed={theater} onClick={act.toggleTheater} wide>
              <RectangleHorizontal size={20} />
            </ControlButton>
          )}
          <ControlButton
            label={fullScreen ? 'Leave full screen' : 'Full screen'}
            hint="F"
            onClick={act.toggleFullScreen}
          >
            {fullScreen ? <Minimize size={20} /> : <Maximize size={20} />}
          </ControlButton>
        </div>
      </div>
    </div>
  );
}

/** Beside its button; on phones above it, where there is room, once there is a sound to set. */
function Volume({ player, state }: { player: Player; state: PlayerState }) {
  const percent = state.muted ? 0 : state.volume * 100;
  return (
    <div
      className={`max-sm:absolute max-sm:bottom-full max-sm:left-2 max-sm:-mb-11 max-sm:rounded-full max-sm:bg-black/70 max-sm:px-4 sm:mr-2 ${
        state.muted ? 'max-sm:hidden' : ''
      }`}
    >
      <input
        type="range"
        aria-label="Volume"
        min={0}
        max={100}
        value={Math.round(percent)}
        onChange={(event) => player.screen.setVolume(event.target.valueAsNumber / 100)}
        style={{ '--fill': `${percent}%` } as React.CSSProperties}
        className="range-slim block w-20 max-sm:h-11 max-sm:w-36"
      />
    </div>
  );
}

/** Red and with its latency at the live edge; a way back when paused. */
function LiveMark({
  phase,
  paused,
  latencyMs,
  onClick,
}: {
  phase: string;
  paused: boolean;
  latencyMs: number | null;
  onClick: () => void;
}) {
  if (phase !== 'live') return null;
  if (paused) {
    return (
      <button
        type="button"
        onClick={onClick}
        className="ml-1 flex min-h-11 items-center gap-2 rounded-md px-2 text-xs font-bold tracking-wide uppercase"
      >
        <span aria-hidden className="size-2 rounded-full bg-ink-3" />
        Go live
      </button>
    );
  }
  return (
    <span className="ml-1 flex items-center gap-2 text-sm tabular-nums">
      <span className="flex items-center gap-2 text-xs font-bold tracking-wide uppercase">
        <span aria-hidden className="size-2 rounded-full bg-live" />
        Live
      </span>
      {latencyMs !== null && (
        <span className="text-ink-2" title="Delay from the camera to your screen, estimated">
          <span className="hidden sm:inline">WebRTC · </span>
          {latencyMs < 95 ? '<0.1' : (latencyMs / 1000).toFixed(1)} s
        </span>
      )}
    </span>
  );
}

function ControlButton({
  label,
  hint,
  pressed,
  wide = false,
  onClick,
  children,
}: {
  label: string;
  hint: string;
  pressed?: boolean;
  /** Only where there is room; it has a key or another place on phones. */
  wide?: boolean;
  onClick: () => void;
  children: ReactNode;
}) {
  return (
    <button
      type="button"
      aria-label={label}
      aria-pressed={pressed}
      title={`${label} (${hint})`}
      onClick={onClick}
      className={`size-11 items-center justify-center rounded-control text-ink transition-colors duration-150 hover:bg-white/15 ${
        wide ? 'hidden sm:flex' : 'flex'
      } ${pressed ? 'bg-white/15' : ''}`}
    >
      {children}
    </button>
  );
}

function useFullScreen(): boolean {
  const [on, setOn] = useState(() => document.fullscreenElement !== null);
  useEffect(() => {
    const changed = () => setOn(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', changed);
    return () => document.removeEventListener('fullscreenchange', changed);
  }, []);
  return on;
}
