import { queryOptions, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';
import { api } from '../api/client';

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: api.session,
  staleTime: 60_000,
});

/** Who is signed in: `undefined` while that is asked, `null` for nobody. */
export function useAccount() {
  return useQuery(sessionQuery).data;
}

/**
 * As `useAccount`, for pages that need somebody: anybody else goes to sign in and comes back; `stay`
 * keeps the page while it is in the middle of something.
 */
export function useRequiredAccount(stay = false) {
  const query = useQuery(sessionQuery);
  const navigate = useNavigate();
  const nobody = query.data === null && !stay;
  useEffect(() => {
    if (nobody) {
      void navigate({ to: '/login', search: { next: location.pathname + location.search }, replace: true });
    }
  }, [nobody, navigate]);
  return query;
}
