import { useQuery } from '@tanstack/react-query';
import { streamsApi } from '../../api/streams';

/** What streams can be about. */
export function useCategories() {
  const { data } = useQuery({
    queryKey: ['categories'],
    queryFn: streamsApi.categories,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return data?.items ?? [];
}
