/** A seek bar with small pictures, for a live window as for a recording: pointer, finger, keys. */
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react';

export interface SeekBarProps {
  startMs: number;
  endMs: number;
  positionMs: number;
  /** What is named of a moment beside its picture: "−1:20". */
  label: (ms: number) => string;
  /** What is read out of a moment. */
  words: (ms: number) => string;
  pictureAt: (ms: number) => string | null;
  /** Told again and again while somebody looks: time to get the pictures. */
  onLook: () => void;
  onSeek: (ms: number) => void;
  onEnd: () => void;
}

const STEP_MS = 5000;
const PAGE_MS = 60_000;
const LOOK_EVERY_MS = 2000;

export function SeekBar(props: SeekBarProps) {
  const { startMs, endMs, positionMs, label, words, pictureAt, onLook, onSeek, onEnd } = props;
  const track = useRef<HTMLDivElement>(null);
  const [hover, setHover] = useState<number | null>(null);
  const [dragging, setDragging] = useState(false);
  const looking = hover !== null;
  useEffect(() => {
    if (!looking) return;
    onLook();
    const timer = setInterval(onLook, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [looking, onLook]);
  const lengthMs = Math.max(1, endMs - startMs);
  const at = (event: PointerEvent) => {
    const { left = 0, width = 1 } = track.current?.getBoundingClientRect() ?? {};
    return startMs + Math.min(1, Math.max(0, (event.clientX - left) / width)) * lengthMs;
  };
  const share = (ms: number) => Math.min(1, Math.max(0, (ms - startMs) / lengthMs));
  const shownMs = dragging && hover !== null ? hover : positionMs;
  const keyed = (event: KeyboardEvent) => {
    const act = keyAct(event.key, {
      by: (ms) => onSeek(Math.min(endMs, Math.max(startMs, positionMs + ms))),
      first: () => onSeek(startMs),
      last: onEnd,
    });
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  return (
    <div
      role="slider"
      tabIndex={0}
      aria-label="Position"
      aria-valuemin={0}
      aria-valuemax={Math.round(lengthMs / 1000)}
      aria-valuenow={Math.round((Math.min(shownMs, endMs) - startMs) / 1000)}
      aria-valuetext={words(shownMs)}
      onKeyDown={keyed}
      onPointerMove={(event) => setHover(at(event))}
      onPointerLeave={() => !dragging && setHover(null)}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setHover(at(event));
        setDragging(true);
      }}
      onPointerUp={(event) => {
        if (!dragging) return;
        setDragging(false);
        if (event.pointerType !== 'mouse') setHover(null);
        onSeek(at(event));
      }}
      onPointerCancel={() => {
        setDragging(false);
        setHover(null);
      }}
      className="group/seek relative mx-2 flex h-8 cursor-pointer touch-none items-center sm:mx-1 sm:h-6"
    >
      <div
        ref={track}
        className="relative h-1 w-full rounded-full bg-ink/30 transition-[height] duration-150 group-hover/seek:h-1.5"
      >
        {hover !== null && (
          <div
            className="absolute inset-y-0 left-0 rounded-full bg-ink/30"
            style={{ width: `${share(hover) * 100}%` }}
          />
        )}
        <div
          className="absolute inset-y-0 left-0 rounded-full bg-ink"
          style={{ width: `${share(shownMs) * 100}%` }}
        />
        <div
          className="absolute top-1/2 size-3.5 -translate-1/2 rounded-full bg-ink shadow-panel"
          style={{ left: `${share(shownMs) * 100}%` }}
        />
      </div>
      {hover !== null && <Preview share={share(hover)} picture={pictureAt(hover)} label={label(hover)} />}
    </div>
  );
}

function Preview({ share, picture, label }: { share: number; picture: string | null; label: string }) {
  return (
    <div
      aria-hidden
      className="pointer-events-none absolute bottom-full flex w-40 -translate-x-1/2 flex-col items-center gap-1.5 pb-1"
      style={{ left: `clamp(5rem, ${share * 100}%, calc(100% - 5rem))` }}
    >
      {picture && (
        <img
          src={picture}
          alt=""
          className="aspect-video w-40 rounded-control border border-line-strong bg-black object-contain"
        />
      )}
      <span className="rounded-md bg-surface-0/85 px-2 py-0.5 text-xs font-semibold text-ink tabular-nums">
        {label}
      </span>
    </div>
  );
}

interface KeyActs {
  by: (ms: number) => void;
  first: () => void;
  last: () => void;
}

function keyAct(key: string, acts: KeyActs): (() => void) | null {
  switch (key) {
    case 'ArrowLeft':
      return () => acts.by(-STEP_MS);
    case 'ArrowRight':
      return () => acts.by(STEP_MS);
    case 'PageDown':
      return () => acts.by(-PAGE_MS);
    case 'PageUp':
      return () => acts.by(PAGE_MS);
    case 'Home':
      return acts.first;
    case 'End':
      return acts.last;
    default:
      return null;
  }
}
