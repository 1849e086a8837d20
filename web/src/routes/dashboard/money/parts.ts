/** The parts of the page about money, in the order of their tabs. */
export const PARTS = [
  { part: 'revenue', label: 'Revenue' },
  { part: 'sell', label: 'What you sell' },
  { part: 'tickets', label: 'Tickets' },
  { part: 'members', label: 'Members' },
  { part: 'payments', label: 'Payments' },
  { part: 'alerts', label: 'Alerts' },
  { part: 'set-up', label: 'Set-up' },
] as const;

export type Part = (typeof PARTS)[number]['part'];

export const isPart = (part: unknown): part is Part => PARTS.some((each) => each.part === part);
