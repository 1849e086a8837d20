const CHOICES = [
  [7, '7 days'],
  [30, '30 days'],
  [90, '90 days'],
  [366, 'A year'],
] as const;

/** How far back is looked. */
export function DaysSelect({ days, onChange }: { days: number; onChange: (days: number) => void }) {
  return (
    <select
      aria-label="How far back"
      value={days}
      onChange={(event) => onChange(Number(event.target.value))}
      className="min-h-11 rounded-control border border-line bg-surface-1 px-3 text-sm"
    >
      {CHOICES.map(([value, label]) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </select>
  );
}
