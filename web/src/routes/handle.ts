/** A channel handle made of a name: "Ada's Garden" gives "adas_garden". */
export function handleFrom(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/[\u0300-\u036f'’]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 30);
}

/** What is wrong with a handle, before the server says so. */
export function handleProblem(handle: string): string | null {
  if (handle.length < 2) return 'At least 2 characters.';
  if (handle.length > 30) return 'At most 30 characters.';
  if (!/^[a-z0-9_-]+$/.test(handle)) return 'Only a–z, 0–9, - and _.';
  if (!/^[a-z0-9]/.test(handle)) return 'Begin with a letter or a digit.';
  return null;
}
