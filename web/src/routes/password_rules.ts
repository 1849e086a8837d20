/** The rule for passwords that a page can tell before the server does. */
export const SHORTEST_PASSWORD = 8;

export function isTooShort(password: string): boolean {
  return password !== '' && [...password].length < SHORTEST_PASSWORD;
}
