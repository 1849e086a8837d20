/** Who a guest is: an id that this browser made up and keeps, and the name that was chosen. */

export interface Guest {
  id: string;
  name: string | null;
}

export function rememberedGuest(): Guest {
  try {
    const kept = localStorage.getItem(ID_KEY);
    const id = kept && /^[a-z0-9]{16,64}$/.test(kept) ? kept : madeUp();
    localStorage.setItem(ID_KEY, id);
    return { id, name: localStorage.getItem(NAME_KEY) };
  } catch {
    // Private windows may refuse storage; the guest then lasts for this page.
    return { id: madeUp(), name: null };
  }
}

export function rememberGuestName(name: string): void {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // It is asked again in the next page.
  }
}

export function madeUp(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const ID_KEY = 'tallylight.chat.guest';
const NAME_KEY = 'tallylight.chat.guest_name';
