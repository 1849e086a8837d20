import { useRecordings } from './use_recordings';

/** A stream that has just ended is playable within seconds. */
const EVERY_MS = 5000;

/** What of a channel can be watched again; nothing is asked while it is on air. */
export function usePastStreams(handle: string, offAir: boolean) {
  const query = useRecordings(handle, () => EVERY_MS, offAir);
  return { ...query, items: offAir ? query.items.filter(({ state }) => state === 'ready') : [] };
}
