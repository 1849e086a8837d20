/**
 * The question that a page may put before it is left: the studio asks while it is on air. The router's
 * blocker puts it for links and Back; what leaves by other ways (signing out) asks here first.
 */
type Question = () => Promise<boolean>;

let question: Question | null = null;

/** Whether the page may be left now; at once where it has no question. */
export function mayLeave(): Promise<boolean> {
  return question?.() ?? Promise.resolve(true);
}

/** Sets the page's question; what it returns takes the question back. */
export function askBeforeLeaving(ask: Question): () => void {
  question = ask;
  return () => {
    if (question === ask) question = null;
  };
}
