/** The look of the small buttons at the head of a chat. */
export const HEAD_BUTTON =
  'flex size-9 shrink-0 items-center justify-center rounded-control text-ink-2 hover:bg-surface-2 hover:text-ink data-popup-open:bg-surface-2 pointer-coarse:size-11';
