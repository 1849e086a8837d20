/** What a page does with a whole picture: full screen, picture in picture, a phone that is turned. */
import { type RefObject, useEffect } from 'react';
import type { Screen, ScreenState } from '../../player/screen';

interface OldSafariVideo extends HTMLVideoElement {
  webkitEnterFullscreen?: () => void;
}

function toggleFullScreen(stage: HTMLElement | null, video: OldSafariVideo | null): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else if (stage?.requestFullscreen) stage.requestFullscreen().catch(() => undefined);
  else video?.webkitEnterFullscreen?.();
}

function togglePip(video: HTMLVideoElement | null): void {
  if (document.pictureInPictureElement) void document.exitPictureInPicture();
  else video?.requestPictureInPicture?.().catch(() => undefined);
}

/** The acts of keys and buttons that are the same for every picture. */
export function screenActs(
  screen: Screen,
  stage: RefObject<HTMLElement | null>,
  state: Pick<ScreenState, 'muted' | 'volume'>,
) {
  return {
    toggleMute: () => screen.setMuted(!state.muted),
    volumeBy: (step: number) => screen.setVolume((state.muted ? 0 : state.volume) + step),
    toggleFullScreen: () => toggleFullScreen(stage.current, screen.video),
    togglePip: () => togglePip(screen.video),
  };
}

/** Turning a phone to landscape fills its screen. */
export function useRotation(stage: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const orientation = screen.orientation;
    if (!orientation || !matchMedia('(pointer: coarse)').matches) return;
    const turned = () => {
      const landscape = orientation.type.startsWith('landscape');
      if (landscape && !document.fullscreenElement)
        stage.current?.requestFullscreen?.().catch(() => undefined);
      else if (!landscape && document.fullscreenElement) void document.exitFullscreen();
    };
    orientation.addEventListener('change', turned);
    return () => orientation.removeEventListener('change', turned);
  }, [stage]);
}
