/** Everybody's reactions over the picture: they rise and are gone; with reduced motion they are counted. */
import { type CSSProperties, useEffect, useState, useSyncExternalStore } from 'react';
import type { Chat } from '../../chat/chat';

export default function Bursts({ chat }: { chat: Chat }) {
  const { bursts, lately } = useSyncExternalStore(chat.applause.store.subscribe, chat.applause.store.get);
  const still = useReducedMotion();
  if (still) {
    const counts = Object.entries(lately);
    if (counts.length === 0) return null;
    return (
      <p
        aria-hidden
        data-testid="reactions"
        className="pointer-events-none absolute right-3 bottom-20 flex gap-2 rounded-full bg-black/60 px-3 py-1 text-sm tabular-nums"
      >
        {counts.map(([emoji, count]) => (
          <span key={emoji}>
            {emoji} {count}
          </span>
        ))}
      </p>
    );
  }
  return (
    <div
      aria-hidden
      data-testid="reactions"
      className="pointer-events-none absolute inset-x-0 bottom-20 h-48 overflow-visible"
    >
      {bursts.map(({ id, emoji, x, delayMs }) => (
        <span
          key={id}
          className="rise absolute bottom-0 text-3xl"
          style={{ left: `${x * 100}%`, animationDelay: `${delayMs}ms` } as CSSProperties}
        >
          {emoji}
        </span>
      ))}
    </div>
  );
}

function useReducedMotion(): boolean {
  const [query] = useState(() => matchMedia('(prefers-reduced-motion: reduce)'));
  const [still, setStill] = useState(query.matches);
  useEffect(() => {
    const changed = () => setStill(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, [query]);
  return still;
}
