import { useState } from 'react';

/** Says its words to screen readers when the topic changes, and not again when only numbers in them do. */
export function Announce({ topic, words }: { topic: string; words: string }) {
  const [said, setSaid] = useState({ topic, words });
  if (said.topic !== topic) setSaid({ topic, words });
  return (
    <p role="status" className="sr-only">
      {said.words}
    </p>
  );
}
