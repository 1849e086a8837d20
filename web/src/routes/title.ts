import { useEffect } from 'react';

/** The tab's title and lamp: red only while this page is on air. */
export function useTitle(title: string, live = false): void {
  useEffect(() => {
    document.title = title === 'Tallylight' ? title : `${title} · Tallylight`;
  }, [title]);
  useEffect(() => {
    const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    if (icon) icon.href = live ? '/favicon-live.svg' : '/favicon.svg';
  }, [live]);
}
