/** Pages about the server, at the foot of its pages, where it has some. */
import { useQuery } from '@tanstack/react-query';
import { instanceQuery } from './instance';

const LINKS = [
  ['imprint', 'Imprint'],
  ['rules', 'Rules'],
  ['privacy', 'Privacy'],
] as const;

export function HouseLinks() {
  const links = useQuery(instanceQuery).data?.links;
  const shown = LINKS.filter(([name]) => links?.[name]);
  if (shown.length === 0) return null;
  return (
    <footer className="border-t border-line">
      <ul className="mx-auto flex max-w-[1680px] flex-wrap gap-x-6 px-4 py-2 text-sm sm:px-6">
        {shown.map(([name, label]) => (
          <li key={name}>
            <a
              href={links?.[name] ?? undefined}
              className="inline-flex min-h-11 items-center rounded text-ink-2 hover:text-ink hover:underline"
              rel="noreferrer"
            >
              {label}
            </a>
          </li>
        ))}
      </ul>
    </footer>
  );
}
