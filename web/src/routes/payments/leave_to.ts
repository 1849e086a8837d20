import { useEffect, useState } from 'react';

/** Goes to a page of Stripe's. True while that opens; no longer, when somebody comes back from it. */
export function useLeaveTo(): [leaving: boolean, leaveTo: (url: string) => void] {
  const [leaving, setLeaving] = useState(false);
  useEffect(() => {
    // The page may come back as it was left.
    const back = () => setLeaving(false);
    addEventListener('pageshow', back);
    return () => removeEventListener('pageshow', back);
  }, []);
  const leaveTo = (url: string) => {
    setLeaving(true);
    location.assign(url);
  };
  return [leaving, leaveTo];
}
