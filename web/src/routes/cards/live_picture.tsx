import { useEffect, useState } from 'react';
import { useNow } from '../../ui/time';

/** The server takes a new one this often. */
const EVERY_MS = 10_000;

/** What a stream looks like now; nothing until there is a picture, and the last one while it loads the next. */
export function LivePicture({ handle }: { handle: string }) {
  const now = useNow();
  const [shown, setShown] = useState<string | null>(null);
  const turn = Math.floor(now / EVERY_MS);
  useEffect(() => {
    const image = new Image();
    const url = `/hls/${encodeURIComponent(handle)}/thumbnail.jpg?at=${turn}`;
    image.onload = () => setShown(url);
    image.src = url;
    return () => {
      image.onload = null;
    };
  }, [handle, turn]);
  return shown && <img src={shown} alt="" className="absolute inset-0 h-full w-full object-cover" />;
}
