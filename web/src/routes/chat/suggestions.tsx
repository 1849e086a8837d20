import type { Suggestion } from '../../chat/completion';

/** What can take the place of the word that is being typed. The field keeps the focus. */
export function Suggestions({
  id,
  items,
  chosen,
  onChoose,
  onPoint,
}: {
  id: string;
  items: readonly Suggestion[];
  chosen: number;
  onChoose: (at: number) => void;
  onPoint: (at: number) => void;
}) {
  return (
    <div
      id={id}
      role="listbox"
      aria-label="Suggestions"
      className="absolute inset-x-0 bottom-full z-20 mb-1.5 max-h-64 overflow-y-auto rounded-card border border-line bg-surface-1 p-1 shadow-panel"
    >
      {items.map((item, at) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field
        <div
          key={item.insert}
          id={`${id}-${at}`}
          role="option"
          tabIndex={-1}
          aria-selected={at === chosen}
          // The field must not lose the focus by it.
          onMouseDown={(event) => event.preventDefault()}
          onMouseEnter={() => onPoint(at)}
          onClick={() => onChoose(at)}
          className={`flex min-h-9 cursor-pointer items-center gap-2 rounded-md px-2.5 py-1 text-sm pointer-coarse:min-h-11 ${at === chosen ? 'bg-surface-2' : ''}`}
        >
          {item.url && <img src={item.url} alt="" className="h-6 w-auto max-w-12 object-contain" />}
          <bdi className="truncate font-medium">{item.label}</bdi>
          {item.detail && <span className="ml-auto truncate pl-2 text-xs text-ink-3">{item.detail}</span>}
        </div>
      ))}
    </div>
  );
}
