import { queryOptions } from '@tanstack/react-query';
import { instanceApi } from '../api/instance';

/** How the server introduces itself. It changes rarely. */
export const instanceQuery = queryOptions({
  queryKey: ['instance'],
  queryFn: instanceApi.show,
  staleTime: 60_000,
});
