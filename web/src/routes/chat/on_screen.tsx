import type { ChatState } from '../../chat/state';
import { readable } from '../../chat/text';
import { Name } from './name';

/** The question that is answered just now, over or under the picture. */
export default function OnScreen({ state, over }: { state: ChatState; over: boolean }) {
  const place = over
    ? 'pointer-events-none absolute top-4 left-1/2 w-[min(36rem,calc(100%-2rem))] -translate-x-1/2'
    : 'mx-auto w-full max-w-[calc((100dvh-11.5rem)*16/9)] min-w-0 px-4 pt-4 sm:min-w-[min(100%,36rem)] sm:px-6';
  return (
    <div className={`${place} empty:hidden`}>
      <OnScreenQuestion state={state} />
    </div>
  );
}

export function OnScreenQuestion({ state, look = '' }: { state: ChatState; look?: string }) {
  const question = state.questions.find(({ on_screen }) => on_screen);
  if (!question) return null;
  return (
    <section
      aria-label="Question on screen"
      className={`rounded-card border border-line bg-surface-1 px-4 py-3 text-ink ${look}`}
    >
      <p className="text-xs text-ink-3">
        <Name from={question.from} /> asks
      </p>
      <bdi className="mt-0.5 block font-medium break-words [overflow-wrap:anywhere]">
        {readable(question.text)}
      </bdi>
    </section>
  );
}
