/** The buttons that every picture has, live or recorded. */
import {
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
import { type ReactNode, useEffect, useState } from 'react';
import type { Screen, ScreenState } from '../../player/screen';

export interface ScreenActs {
  toggleFullScreen: () => void;
  togglePip: () => void;
  toggleTheater: () => void;
  toggleHelp: () => void;
}

export function PlayButton({ paused, onClick }: { paused: boolean; onClick: () => void }) {
  return (
    <ControlButton label={paused ? 'Play' : 'Pause'} hint="K" onClick={onClick}>
      {paused ? <Play size={22} fill="currentColor" /> : <Pause size={22} fill="currentColor" />}
    </ControlButton>
  );
}

/** Mute and, beside it, the volume; on phones above it, where there is room, once there is a sound to set. */
export function Sound({ screen, state, onMute }: { screen: Screen; state: ScreenState; onMute: () => void }) {
  const VolumeIcon = state.muted || state.volume === 0 ? VolumeX : state.volume < 0.5 ? Volume1 : Volume2;
  const percent = state.muted ? 0 : state.volume * 100;
  return (
    <>
      <ControlButton label={state.muted ? 'Sound on' : 'Mute'} hint="M" onClick={onMute}>
        <VolumeIcon size={22} />
      </ControlButton>
      {screen.canSetVolume && (
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
            onChange={(event) => screen.setVolume(event.target.valueAsNumber / 100)}
            style={{ '--fill': `${percent}%` } as React.CSSProperties}
            className="range-slim block w-20 max-sm:h-11 max-sm:w-36"
          />
        </div>
      )}
    </>
  );
}

/** What the picture fills. */
export function ScreenButtons({
  act,
  theater,
  fullScreen,
}: {
  act: ScreenActs;
  theater: boolean;
  fullScreen: boolean;
}) {
  return (
    <>
      <ControlButton label="Keyboard shortcuts" hint="?" onClick={act.toggleHelp} wide>
        <Keyboard size={20} />
      </ControlButton>
      {document.pictureInPictureEnabled && (
        <ControlButton label="Picture in picture" hint="I" onClick={act.togglePip} wide>
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
    </>
  );
}

export function ControlButton({
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
      className={`size-11 shrink-0 items-center justify-center rounded-control text-ink transition-colors duration-150 hover:bg-white/15 ${
        wide ? 'hidden sm:flex' : 'flex'
      } ${pressed ? 'bg-white/15' : ''}`}
    >
      {children}
    </button>
  );
}

export function useFullScreen(): boolean {
  const [on, setOn] = useState(() => document.fullscreenElement !== null);
  useEffect(() => {
    const changed = () => setOn(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', changed);
    return () => document.removeEventListener('fullscreenchange', changed);
  }, []);
  return on;
}
