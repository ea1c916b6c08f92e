/**
 * What a body is gathered in. A client says how small its pieces are: each of its own would take hundreds of bytes beside its one, so that
 * what is held would be many times what is counted. Small ones are copied together.
 */

/** A piece of this size or more is kept as it came. */
const SMALL_BYTES = 4 * 1024;
const BLOCK_BYTES = 64 * 1024;

export class Gathered {
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  /** Small pieces lie in `[#from, #to)` of it; what comes before belongs to pieces already. */
  #block: Buffer | null = null;
  #from = 0;
  #to = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(piece: Buffer): void {
    const isFirst = this.#bytes === 0;
    this.#bytes += piece.length;
    // Nearly all bodies are one piece, whatever its size.
    if (isFirst || piece.length >= SMALL_BYTES) {
      this.#flush();
      this.#pieces.push(piece);
      return;
    }
    if (this.#block === null || this.#to + piece.length > this.#block.length) {
      this.#flush();
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#from = 0;
      this.#to = 0;
    }
    this.#to += piece.copy(this.#block, this.#to);
  }

  whole(): Buffer {
    this.#flush();
    return this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#bytes);
  }

  #flush(): void {
    if (this.#block === null || this.#from === this.#to) return;
    this.#pieces.push(this.#block.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}
