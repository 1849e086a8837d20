/** How figures are summed up and printed. */

export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function row(name: string, values: number[]): string {
  const at = (share: number) => quantile(values, share).toFixed(0).padStart(6);
  return `${name.padEnd(34)} min${at(0)}  p50${at(0.5)}  p95${at(0.95)}  max${at(1)} ms  (${values.length})`;
}
