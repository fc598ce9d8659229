// What is on the paper, and the way back: scenes come in, the one of now goes out. Next is paper.js, which draws it.
//
// A scene is never changed, only replaced, so undo and redo are two lists.
//   strokes: [[{x, y}, ...], ...] in units of the paper's side, 0..1
//   picture: null, or {kind: "sample", pixels, digit, source}, or {kind: "file", file, bitmap}

export const EMPTY = Object.freeze({ picture: null, strokes: Object.freeze([]) });

export const isEmpty = (scene) => !scene.picture && scene.strokes.length === 0;

export class History {
  #past = [];
  #future = [];
  now = EMPTY;

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** Put a scene on the paper. What was undone before is gone. */
  put(scene) {
    this.#past.push(this.now);
    this.#future = [];
    this.now = Object.freeze(scene);
  }

  /** A stroke more. It goes over a sample, whose ink is known; in place of a file, whose is not. */
  addStroke(stroke) {
    const picture = this.now.picture?.kind === "sample" ? this.now.picture : null;
    this.put({ picture, strokes: [...this.now.strokes, stroke] });
  }

  clear() {
    if (!isEmpty(this.now)) this.put(EMPTY);
  }

  undo() {
    if (!this.canUndo) return;
    this.#future.push(this.now);
    this.now = this.#past.pop();
  }

  redo() {
    if (!this.canRedo) return;
    this.#past.push(this.now);
    this.now = this.#future.pop();
  }
}
