/** What one has said here, to be fetched back by ArrowUp. */
export class SaidBefore {
  readonly #said: string[] = [];
  #at = 0;
  /** What was being typed when the first was fetched. */
  #draft = '';

  note(text: string): void {
    if (this.#said.at(-1) !== text) this.#said.push(text);
    if (this.#said.length > MOST) this.#said.shift();
    this.#at = this.#said.length;
  }

  /** One back; `null` where there is none. */
  back(typed: string): string | null {
    if (this.#at === 0) return null;
    if (this.#at === this.#said.length) this.#draft = typed;
    this.#at -= 1;
    return this.#said[this.#at] ?? null;
  }

  /** One forward again, at last to what was being typed. */
  forward(): string | null {
    if (this.#at >= this.#said.length) return null;
    this.#at += 1;
    return this.#said[this.#at] ?? this.#draft;
  }
}

const MOST = 50;
