/** A link within words. */
export const link = 'rounded underline underline-offset-4 hover:text-ink';

/** One of several to choose from: a card with a radio button that is not seen. */
export const choice =
  'flex cursor-pointer rounded-control border border-line hover:border-line-strong has-checked:border-ink has-checked:bg-surface-2 has-focus-visible:outline-2 has-focus-visible:outline-offset-2';
