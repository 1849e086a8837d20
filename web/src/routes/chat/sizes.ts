/** The text sizes that one may choose. */
export const SIZES = { small: 'text-[0.8125rem]', medium: 'text-[0.9375rem]', large: 'text-lg' };
