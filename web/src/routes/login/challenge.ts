/** What a provider's sign-in leaves behind the # where a code must follow; it is taken out of the address. */
export function takeChallenge(): string | null {
  const challenge = /^#challenge=([a-z0-9]+)$/.exec(location.hash)?.[1] ?? null;
  if (challenge) history.replaceState(history.state, '', location.pathname + location.search);
  return challenge;
}
