/** Draws the blocks that the server makes of Markdown: elements of ours around plain text, never HTML. */
import type { Block, Inline } from '../api/channels';

export function RichText({ blocks }: { blocks: readonly Block[] }) {
  return (
    <div className="flex flex-col gap-3 text-sm leading-relaxed break-words text-ink-2">
      {blocks.map((block, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: blocks have no other name, and never move
        <OneBlock key={at} block={block} />
      ))}
    </div>
  );
}

function OneBlock({ block }: { block: Block }) {
  switch (block.kind) {
    case 'paragraph':
      return (
        <p>
          <Line content={block.content} />
        </p>
      );
    case 'heading':
      return (
        <p className={`font-semibold text-ink ${block.level === 1 ? 'text-base' : ''}`}>
          <Line content={block.content} />
        </p>
      );
    case 'list':
      return <List start={block.start ?? null} items={block.items} />;
    case 'quote':
      return (
        <blockquote className="border-l-2 border-line-strong pl-3">
          <RichText blocks={block.blocks} />
        </blockquote>
      );
    case 'code':
      return (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        <pre tabIndex={0} className="overflow-x-auto rounded-control bg-surface-0 p-3 font-mono text-xs">
          {block.text}
        </pre>
      );
    case 'rule':
      return <hr className="border-line" />;
  }
}

function List({ start, items }: { start: number | null; items: readonly Block[][] }) {
  const rows = items.map((item, at) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: items have no other name, and never move
    <li key={at}>
      <RichText blocks={item} />
    </li>
  ));
  return start === null ? (
    <ul className="flex list-disc flex-col gap-1 pl-5">{rows}</ul>
  ) : (
    <ol start={start} className="flex list-decimal flex-col gap-1 pl-5">
      {rows}
    </ol>
  );
}

function Line({ content }: { content: readonly Inline[] }) {
  return content.map((piece, at) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: pieces have no other name, and never move
    <Piece key={at} piece={piece} />
  ));
}

function Piece({ piece }: { piece: Inline }) {
  switch (piece.kind) {
    case 'text':
      return piece.text;
    case 'code':
      return <code className="rounded bg-surface-0 px-1 font-mono text-[0.9em]">{piece.text}</code>;
    case 'emphasis':
      return (
        <em>
          <Line content={piece.content} />
        </em>
      );
    case 'strong':
      return (
        <strong className="font-semibold text-ink">
          <Line content={piece.content} />
        </strong>
      );
    case 'struck':
      return (
        <s>
          <Line content={piece.content} />
        </s>
      );
    case 'link':
      return (
        <a
          href={piece.url}
          rel="nofollow noreferrer ugc"
          target="_blank"
          className="text-ink underline decoration-(--accent,currentColor) underline-offset-2 hover:decoration-2"
        >
          <Line content={piece.content} />
        </a>
      );
    case 'break':
      return <br />;
  }
}
