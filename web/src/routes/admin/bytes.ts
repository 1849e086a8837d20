const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** "0 B", "1.4 GB". */
export function bytes(count: number): string {
  const step = count < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** step;
  const digits = step > 0 && value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[step]}`;
}
