/** What the studio does beside showing: devices, resuming, warnings, keys, staying awake. */
import { useBlocker } from '@tanstack/react-router';
import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import type { Publisher } from '../../publisher/publisher';
import type { Sources } from '../../publisher/sources';
import { askBeforeLeaving } from '../leaving';
import { onAirNote } from './settings';

/** Opens the devices if that needs no question; lets everything go with the page. */
export function useLifetime(sources: Sources, publisher: Publisher): void {
  useEffect(() => {
    void sources.allowedBefore().then((allowed) => {
      if (allowed && !sources.store.get().asked) void sources.open();
    });
    return () => {
      publisher.close();
      sources.close();
    };
  }, [sources, publisher]);
}

/**
 * After a reload of this tab the same stream goes on by itself, if the server's first answer says that
 * it is still open (`held`, `undefined` before); what begins later is not this tab's. `settled` is set
 * once that is decided, also by whoever goes live by hand.
 */
export function useResume(
  settled: RefObject<boolean>,
  sources: Sources,
  handle: string,
  held: boolean | undefined,
  goLive: () => Promise<void>,
): void {
  useEffect(() => {
    if (settled.current || held === undefined) return;
    settled.current = true;
    if (!onAirNote.read(handle)) return;
    if (!held) return onAirNote.clear();
    void sources.allowedBefore().then((allowed) => {
      if (allowed) void goLive();
    });
  }, [settled, sources, handle, held, goLive]);
}

export function useWarning(busy: boolean): void {
  useEffect(() => {
    if (!busy) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, [busy]);
}

/**
 * Asks before links, Back or signing out take the studio away while it is in use. `leave` is told the
 * answer to the question that is open; none is open while it is `null`.
 */
export function useLeaving(inUse: () => boolean): ((leave: boolean) => void) | null {
  const [answer, setAnswer] = useState<((leave: boolean) => void) | null>(null);
  const pending = useRef<((leave: boolean) => void) | null>(null);
  const ask = useCallback(() => {
    pending.current?.(false);
    if (!inUse()) return Promise.resolve(true);
    return new Promise<boolean>((resolve) => {
      pending.current = (leave) => {
        pending.current = null;
        setAnswer(null);
        resolve(leave);
      };
      setAnswer(() => pending.current);
    });
  }, [inUse]);
  useEffect(() => askBeforeLeaving(ask), [ask]);
  useBlocker({
    // Closing the tab is asked by the browser.
    enableBeforeUnload: false,
    shouldBlockFn: async ({ current, next }) => {
      if (next.pathname !== current.pathname) return !(await ask());
      // Here already: a link to the studio must not open it for another channel.
      return inUse() && JSON.stringify(next.search) !== JSON.stringify(current.search);
    },
  });
  return answer;
}

export function useMuteKey(sources: Sources): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'm' || event.ctrlKey || event.metaKey || event.altKey || event.repeat)
        return;
      const target = event.target instanceof HTMLElement ? event.target : null;
      if (target?.closest('input:not([type="checkbox"]), textarea, select, [contenteditable]')) return;
      sources.setMicrophoneOn(!sources.store.get().microphoneOn);
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, [sources]);
}

/** A phone that falls asleep would end the stream. */
export function useAwake(needed: boolean): void {
  useEffect(() => {
    if (!needed || !navigator.wakeLock) return;
    let lock: WakeLockSentinel | null = null;
    let over = false;
    const take = async () => {
      if (document.visibilityState !== 'visible' || over) return;
      lock = await navigator.wakeLock.request('screen').catch(() => null);
      if (over) void lock?.release();
    };
    void take();
    document.addEventListener('visibilitychange', take);
    return () => {
      over = true;
      document.removeEventListener('visibilitychange', take);
      void lock?.release();
    };
  }, [needed]);
}
