// Mouse, touch, pen and keyboard become strokes. The canvas comes in; `moved(stroke, cursor)` is called while one is being
// drawn, `done(stroke)` at its end. Next is main.js, which keeps the strokes.

const STEP = 1 / 28; // one pixel of what the network sees
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Strokes by pointer: one at a time, whichever device it comes from. */
export function drawByPointer(canvas, { moved, done }) {
  let pointer = null;
  let stroke = [];
  let box; // of the canvas when the stroke began: should the page move under it, the line stays whole

  const at = ({ clientX, clientY }) => ({ x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height });
  const end = (keep) => {
    pointer = null;
    if (keep) done(stroke);
    else moved(null);
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return; // a second finger or the palm draws nothing
    document.activeElement?.blur(); // keys typed from now on are meant for the page
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    box = canvas.getBoundingClientRect();
    stroke = [at(event)];
    moved(stroke);
  });
  canvas.addEventListener("mousedown", (event) => event.preventDefault()); // only the keyboard gives the paper focus
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const between = event.getCoalescedEvents?.() ?? []; // what happened since the last frame
    stroke.push(...(between.length ? between : [event]).map(at));
    moved(stroke);
  });
  canvas.addEventListener("pointerup", (event) => event.pointerId === pointer && end(true));
  canvas.addEventListener("pointercancel", (event) => event.pointerId === pointer && end(false));
}

/** Strokes by keyboard, while the canvas has the focus: arrows move, Space or Enter sets the pen down and lifts it. */
export class KeyboardPen {
  #tell;
  #held = new Set();
  #stroke = null;
  #position = { x: 0.5, y: 0.2 };

  /** `tell`: {moved(stroke), done(stroke), said(text)} */
  constructor(canvas, tell) {
    this.#tell = tell;
    canvas.addEventListener("keydown", (event) => this.#keydown(event));
    canvas.addEventListener("keyup", (event) => this.#held.delete(event.key));
    canvas.addEventListener("blur", () => {
      this.#held.clear();
      this.lift();
      tell.moved(null);
    });
    canvas.addEventListener("focus", () => tell.moved(null));
  }

  /** Where the pen is, for the screen. */
  get cursor() {
    return { ...this.#position, down: this.#stroke !== null };
  }

  /** End the stroke that is being drawn, if there is one. */
  lift() {
    const stroke = this.#stroke;
    this.#stroke = null;
    if (stroke) this.#tell.done(stroke);
  }

  #keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " || event.key === "Enter") {
      if (!event.repeat) this.#toggle();
    } else if (event.key in ARROWS) {
      this.#held.add(event.key);
      this.#move(event.shiftKey ? 3 * STEP : STEP);
    } else return;
    event.preventDefault(); // or the page would scroll
  }

  #toggle() {
    if (this.#stroke) {
      this.lift();
      this.#tell.said("Pen up");
    } else {
      this.#stroke = [this.#position];
      this.#tell.moved(this.#stroke);
      this.#tell.said("Pen down");
    }
  }

  #move(step) {
    const within = (value) => Math.min(Math.max(value, 0), 1);
    let { x, y } = this.#position;
    for (const key of this.#held) {
      x += ARROWS[key][0] * step;
      y += ARROWS[key][1] * step;
    }
    this.#position = { x: within(x), y: within(y) };
    this.#stroke?.push(this.#position);
    this.#tell.moved(this.#stroke);
  }
}
