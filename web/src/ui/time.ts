import { useEffect, useState } from 'react';

/** Now, every second, while something shown depends on it. */
export function useNow(active = true): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!active) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [active]);
  return now;
}

/** "0:07", "12:30", "1:02:03". */
export function clock(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

/** "30 seconds", "5 minutes". */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} ${seconds === 1 ? 'second' : 'seconds'}`;
  return `${Math.round(seconds / 60)} minutes`;
}

/** "128", "1.2K". */
export const COUNT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** "3 minutes ago". */
export function ago(then: string, now: number): string {
  const seconds = (Date.parse(then) - now) / 1000;
  const steps: [number, Intl.RelativeTimeFormatUnit][] = [
    [60, 'second'],
    [3600, 'minute'],
    [86_400, 'hour'],
    [Number.POSITIVE_INFINITY, 'day'],
  ];
  const sizes = { second: 1, minute: 60, hour: 3600, day: 86_400 } as Record<string, number>;
  const unit = steps.find(([limit]) => Math.abs(seconds) < limit)?.[1] ?? 'day';
  return RELATIVE.format(Math.round(seconds / (sizes[unit] ?? 1)), unit);
}
