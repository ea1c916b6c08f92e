/** One connection of a client, kept alive: a request at a time, and each answer looked at. */
import { connect, type Socket } from 'node:net';
import { AnswerReader } from './answer-reader.ts';

export interface Question {
  bytes: Buffer;
  tokens: number;
  streamed: boolean;
}

/** What is wrong with the answer; null where it is whole. */
export type Outcome = string | null;

export class Connection {
  readonly #port: number;
  readonly #reader = new AnswerReader();
  #socket: Socket | null = null;
  #question: Question | null = null;
  #onEnd: ((outcome: Outcome) => void) | null = null;

  constructor(port: number) {
    this.#port = port;
  }

  /** Tokens of the answer under way that have come. */
  get tokens(): number {
    return this.#reader.marks;
  }

  get busy(): boolean {
    return this.#question !== null;
  }

  /** `onEnd` is told once; it may ask again at once. */
  ask(question: Question, onEnd: (outcome: Outcome) => void): void {
    this.#question = question;
    this.#onEnd = onEnd;
    this.#reader.reset();
    this.#socket ??= this.#open();
    this.#socket.write(question.bytes);
  }

  close(): void {
    this.#question = null;
    this.#onEnd = null;
    this.#socket?.destroy();
    this.#socket = null;
  }

  #open(): Socket {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    socket.on('data', (bytes) => {
      if (!this.#reader.feed(bytes)) return;
      if (this.#reader.closes) this.#forget(socket);
      this.#end(this.#verdict());
    });
    socket.on('error', (error) => this.#lost(socket, error.message));
    socket.on('close', () => this.#lost(socket, `the connection was closed after ${this.#reader.marks} tokens`));
    return socket;
  }

  #verdict(): Outcome {
    const { status, marks, tail } = this.#reader;
    const { tokens, streamed } = this.#question!;
    if (status !== 200) return `status ${status}: … ${tail}`;
    if (marks !== tokens) return `${marks} of ${tokens} tokens`;
    return streamed && !tail.trimEnd().endsWith('data: [DONE]') ? `ends without [DONE]: ${tail}` : null;
  }

  #lost(socket: Socket, why: string): void {
    if (this.#socket !== socket) return;
    this.#forget(socket);
    if (this.#question) this.#end(why);
  }

  #forget(socket: Socket): void {
    this.#socket = null;
    socket.destroy();
  }

  #end(outcome: Outcome): void {
    const onEnd = this.#onEnd;
    this.#question = null;
    this.#onEnd = null;
    onEnd?.(outcome);
  }
}
