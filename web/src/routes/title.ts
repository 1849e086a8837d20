import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { instanceQuery } from './instance';

/** The tab's title and lamp: red only while this page is on air. `null` is the server's own title. */
export function useTitle(title: string | null, live = false): void {
  const site = useQuery(instanceQuery).data?.name;
  const whole = title !== null && site !== undefined ? `${title} · ${site}` : (title ?? site);
  useEffect(() => {
    // Until the server has said its name, the title is the one that the page came with.
    if (whole !== undefined) document.title = whole;
  }, [whole]);
  useEffect(() => {
    const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    if (icon) icon.href = live ? '/favicon-live.svg' : '/favicon.svg';
  }, [live]);
}
