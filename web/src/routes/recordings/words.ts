/** How a recording's facts are written. */

const DAY = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });

/** "Nov 26, 2026" */
export function dayWords(at: string): string {
  return DAY.format(new Date(at));
}

/** "820 kB", "1.4 GB" */
export function sizeWords(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [size, unit] = [bytes, 0];
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size >= 9.95 || unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}
