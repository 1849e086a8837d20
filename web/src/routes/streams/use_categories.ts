/** What streams can be about. */
export function useCategories(): { slug: string; name: string }[] {
  return NONE;
}

const NONE: { slug: string; name: string }[] = [];
