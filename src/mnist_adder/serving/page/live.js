// Live answers: asked while one draws, never more than one question on its way, and the latest always wins.

const INTERVAL = 50; // milliseconds between the beginnings of two questions: 20 a second look like at once

export class Live {
  #ask;
  #show;
  #fail;
  #busy;
  #running = null; // AbortController of the question on its way
  #wanted = false; // something has changed since it was asked
  #timer = 0;
  #last = 0;

  /**
   * `ask(signal)` promises an answer; `show(answer)` and `fail(error)` are told what became of the latest question, and
   * `busy(whether)` whether an answer is still to come.
   */
  constructor({ ask, show, fail, busy }) {
    this.#ask = ask;
    this.#show = show;
    this.#fail = fail;
    this.#busy = busy;
  }

  /** Something is changing: ask when the question on its way has come back. */
  soon() {
    this.#wanted = true;
    this.#busy(true);
    if (this.#running || this.#timer) return;
    this.#wait(this.#last + INTERVAL - performance.now());
  }

  /** Something has changed for good: drop the question on its way and ask at once. */
  now() {
    this.stop();
    this.#busy(true);
    this.#go();
  }

  /** There is nothing to ask about. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#busy(false);
  }

  #wait(milliseconds) {
    this.#timer = setTimeout(() => this.#go(), Math.max(0, milliseconds));
  }

  async #go() {
    const mine = (this.#running = new AbortController());
    this.#timer = 0;
    this.#wanted = false;
    this.#last = performance.now();
    let retrySeconds = null;
    try {
      const answer = await this.#ask(mine.signal);
      if (this.#running === mine) this.#show(answer);
    } catch (error) {
      if (this.#running !== mine) return; // aborted, or overtaken
      retrySeconds = error.retrySeconds ?? null;
      this.#fail(error);
    }
    if (this.#running !== mine) return;
    this.#running = null;
    this.#busy(this.#wanted);
    if (retrySeconds !== null) this.#wait(1000 * retrySeconds);
    else if (this.#wanted) this.soon();
  }
}
