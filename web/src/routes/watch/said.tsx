import { EyeOff } from 'lucide-react';
import type { Said } from '../../player/channel';
import { Pill } from '../../ui/pill';
import { useCategories } from '../streams/use_categories';

/** What the stream is about, under the picture. Nothing where nothing is said. */
export function StreamTitle({ said }: { said: Said | null }) {
  const categories = useCategories();
  if (!said) return null;
  const category = categories.find(({ slug }) => slug === said.category)?.name ?? null;
  const labels = [...(category ? [category] : []), ...said.tags.map((tag) => `#${tag}`)];
  if (!said.title && labels.length === 0 && !said.preview) return null;
  return (
    <section
      aria-label="About this stream"
      className="mx-auto w-full max-w-[calc((100dvh-11.5rem)*16/9)] min-w-0 px-4 pt-4 sm:min-w-[min(100%,36rem)] sm:px-6"
    >
      {said.preview && (
        <p className="mb-3 flex flex-wrap items-center gap-x-2.5 gap-y-1 text-sm text-ink-2">
          <Pill tone="preview">Preview</Pill>
          <EyeOff aria-hidden size={16} /> Only you see this until you publish it in the studio.
        </p>
      )}
      {said.title && (
        <h2 className="text-xl leading-snug font-semibold tracking-tight break-words">{said.title}</h2>
      )}
      {labels.length > 0 && (
        <ul aria-label="Category and tags" className="mt-2 flex flex-wrap gap-1.5">
          {labels.map((label) => (
            <li
              key={label}
              className="rounded-md border border-line bg-surface-1 px-2 py-0.5 text-sm text-ink-2"
            >
              {label}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
