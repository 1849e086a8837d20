/** What every picture has, live or recorded: the area that is clicked, and the way to its sound. */
import { VolumeX } from 'lucide-react';
import { useEffect, useRef } from 'react';
import type { Screen } from '../../player/screen';

export function PictureArea({
  screen,
  dimmed,
  idle,
  wake,
  togglePlay,
  toggleFullScreen,
}: {
  screen: Screen;
  dimmed: boolean;
  idle: boolean;
  wake: () => void;
  togglePlay: () => void;
  toggleFullScreen: () => void;
}) {
  const area = useRef<HTMLDivElement>(null);
  useEffect(() => (area.current ? screen.attach(area.current) : undefined), [screen]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys of the page and the buttons do the same
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys of the page do the same
    <div
      ref={area}
      className={`screen absolute inset-0 ${dimmed ? 'opacity-40' : ''}`}
      onClick={() => {
        // A finger wakes the controls first, a mouse plays and pauses; a double click does so twice.
        if (matchMedia('(pointer: coarse)').matches) {
          if (idle) wake();
        } else togglePlay();
      }}
      onDoubleClick={toggleFullScreen}
    />
  );
}

export function SoundButton({ onTap }: { onTap: () => void }) {
  return (
    <button
      type="button"
      onClick={onTap}
      className="absolute top-3 left-3 flex min-h-11 items-center gap-2.5 rounded-full bg-ink px-5 text-sm font-semibold text-surface-0 shadow-panel transition-colors duration-150 hover:bg-white sm:top-4 sm:left-4"
    >
      <VolumeX aria-hidden size={18} />
      Tap for sound
    </button>
  );
}
