import { useEffect, useState } from 'react';

/**
 * The secret behind the `#` of a link from a mail or an invite. It is taken out of the address at once, so
 * that it does not stay in the history.
 */
export function useLinkSecret(): string {
  const [secret] = useState(() => location.hash.slice(1));
  useEffect(() => {
    if (secret !== '') history.replaceState(history.state, '', location.pathname + location.search);
  }, [secret]);
  return secret;
}
