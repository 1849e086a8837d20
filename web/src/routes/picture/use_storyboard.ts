import { useCallback, useRef, useState } from 'react';
import { fetchStoryboard, imageAt, type Storyboard } from '../../player/storyboard';

/** The pictures of a seek bar, fetched when somebody looks at it, and again when they have grown old. */
export function useStoryboard(path: string | null, freshMs: number) {
  const [board, setBoard] = useState<Storyboard | null>(null);
  const asked = useRef(Number.NEGATIVE_INFINITY);
  const look = useCallback(() => {
    if (path === null || performance.now() - asked.current < freshMs) return;
    asked.current = performance.now();
    void fetchStoryboard(path).then((fetched) => {
      if (fetched) setBoard(fetched);
      else asked.current = Number.NEGATIVE_INFINITY;
    });
  }, [path, freshMs]);
  const pictureAt = (wallMs: number) => board && imageAt(board, wallMs);
  return { board, look, pictureAt };
}
