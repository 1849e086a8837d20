/**
 * What screen readers are told of a chat, at most one line in two seconds. The list itself is silent: it
 * takes rows in and out as one scrolls, and all of those would be read out.
 */
import { useEffect, useRef, useState } from 'react';
import type { Row } from '../../chat/rows';
import { spokenText } from '../../chat/spoken';
import { mentions } from '../../chat/text';
import { useTierNames } from '../payments/use_payments';
import { usePreferences } from './use_chat';

export function Announcer({
  rows,
  handle,
  own,
}: {
  rows: readonly Row[];
  handle: string;
  own: string | null;
}) {
  const { announce } = usePreferences();
  const nameOf = useTierNames(handle, false);
  const [lines, setLines] = useState<{ key: string; words: string }[]>([]);
  const waiting = useRef<{ key: string; words: string }[]>([]);
  const known = useRef<string | null>(null);

  useEffect(() => {
    const last = rows.at(-1)?.key ?? null;
    const from =
      known.current === null ? rows.length : rows.findIndex(({ key }) => key === known.current) + 1;
    known.current = last;
    if (announce === 'off') return;
    for (const { key, message, state } of rows.slice(from)) {
      if (state !== 'said' || (announce === 'mentions' && !mentions(message.text, own))) continue;
      waiting.current.push({ key, words: spokenText(message, nameOf) });
    }
  }, [rows, announce, own, nameOf]);
  useEffect(() => {
    const timer = setInterval(() => {
      const next = waiting.current;
      if (next.length === 0) return;
      waiting.current = [];
      const [only] = next.slice(-1);
      if (!only) return;
      const more = next.length > 1 ? `${next.length - 1} more before. ` : '';
      setLines((before) => [...before.slice(-4), { key: only.key, words: more + only.words }]);
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className="sr-only">
      {lines.map(({ key, words }) => (
        <p key={key}>{words}</p>
      ))}
    </div>
  );
}

const EVERY_MS = 2000;
