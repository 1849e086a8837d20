import { useQuery } from '@tanstack/react-query';
import { channelsApi } from '../api/channels';

const NAMES = new Intl.DisplayNames(['en'], { type: 'language' });

/** "Portuguese" of `pt`; what is no language as it is. */
export function languageName(tag: string): string {
  try {
    return NAMES.of(tag) ?? tag;
  } catch {
    // An address may say anything.
    return tag;
  }
}

/** What streams can be spoken in, by name. */
export function useLanguages(): { tag: string; name: string }[] {
  const { data } = useQuery({
    queryKey: ['languages'],
    queryFn: channelsApi.languages,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const named = (data?.items ?? []).map((tag) => ({ tag, name: languageName(tag) }));
  return named.sort((a, b) => a.name.localeCompare(b.name));
}
