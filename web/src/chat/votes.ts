/** What one has voted for on this browser: the server takes one vote each, and does not tell it back. */

type Kept = Record<string, number>;

export function voteOf(id: string | number): number | null {
  return kept()[String(id)] ?? null;
}

/** `null` takes it back. */
export function rememberVote(id: string | number, vote: number | null): void {
  const { [String(id)]: _, ...others } = kept();
  const votes = Object.entries(vote === null ? others : { ...others, [String(id)]: vote });
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(votes.slice(-MOST))));
  } catch {
    // Private windows may refuse storage: the server still counts once.
  }
}

function kept(): Kept {
  try {
    const votes: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof votes === 'object' && votes !== null ? (votes as Kept) : {};
  } catch {
    return {};
  }
}

const KEY = 'tallylight.chat.votes';
const MOST = 200;
