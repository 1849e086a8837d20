import { useEffect, useRef } from 'react';

export interface ShortcutActs {
  togglePlay: () => void;
  toggleMute: () => void;
  volumeBy: (step: number) => void;
  toggleFullScreen: () => void;
  togglePip: () => void;
  toggleTheater: () => void;
  toggleStats?: () => void;
  toggleHelp: () => void;
  liveEdge: () => void;
  seekBy: (seconds: number) => void;
  stepRate?: (step: 1 | -1) => void;
  close: () => void;
}

/** The keys of a player; none fires while typing or while a button has the key's own meaning. */
export function useShortcuts(acts: ShortcutActs, wake: () => void): void {
  const latest = useRef({ acts, wake });
  latest.current = { acts, wake };
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || taken(event)) return;
      const act = actFor(event, latest.current.acts);
      if (!act) return;
      event.preventDefault();
      latest.current.wake();
      act();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
}

function taken(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest('[role="menu"], [role="dialog"], select, textarea'))
    return true;
  if (target instanceof HTMLInputElement) {
    return target.type !== 'range' || event.key.startsWith('Arrow') || event.key === 'End';
  }
  return event.key === ' ' && target.closest('button, a, summary') !== null;
}

function actFor(event: KeyboardEvent, acts: ShortcutActs): (() => void) | null {
  if (event.shiftKey && event.key.toLowerCase() === 's') return acts.toggleStats ?? null;
  switch (event.key) {
    case ' ':
    case 'k':
    case 'K':
      return acts.togglePlay;
    case 'm':
    case 'M':
      return acts.toggleMute;
    case 'f':
    case 'F':
      return acts.toggleFullScreen;
    case 't':
    case 'T':
      return acts.toggleTheater;
    case 'i':
    case 'I':
      return acts.togglePip;
    case 'ArrowUp':
      return () => acts.volumeBy(0.05);
    case 'ArrowDown':
      return () => acts.volumeBy(-0.05);
    case 'ArrowLeft':
      return () => acts.seekBy(-5);
    case 'ArrowRight':
      return () => acts.seekBy(5);
    case 'j':
    case 'J':
      return () => acts.seekBy(-10);
    case 'l':
    case 'L':
      return () => acts.seekBy(10);
    case '<':
      return acts.stepRate ? () => acts.stepRate?.(-1) : null;
    case '>':
      return acts.stepRate ? () => acts.stepRate?.(1) : null;
    case 'End':
    case '.':
      return acts.liveEdge;
    case '?':
      return acts.toggleHelp;
    case 'Escape':
      return acts.close;
    default:
      return null;
  }
}
