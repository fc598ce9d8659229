// Scenes become pixels: on the screen in the page's colours, and as the PNG that is sent, black on white, always the same
// size. Scenes of history.js come in; the service cuts out, scales and centres, so nothing of that happens here.

const PEN = 0.08; // width of a stroke, in sides of the paper: about MNIST's, for a digit that fills most of it
const SENT_SIDE = 280; // pixels
const MARGIN = 20; // pixels of white around it: ink that touches the edge of a picture is taken for something cut off

/** Draw a scene into a square of `side` pixels at the origin, ink in one colour. */
function drawScene(context, side, { picture, strokes }, ink) {
  if (picture?.kind === "sample") drawPixels(context, side, picture.pixels, ink);
  if (picture?.kind === "file" && picture.bitmap) drawBitmap(context, side, picture.bitmap);
  context.strokeStyle = ink;
  context.lineWidth = PEN * side;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) drawStroke(context, side, stroke);
}

/** A smooth line: through the midpoints, bent towards the points. One point is a dot. */
function drawStroke(context, side, points) {
  const at = ({ x, y }) => [x * side, y * side];
  context.beginPath();
  context.moveTo(...at(points[0]));
  for (let i = 1; i < points.length - 1; i++) {
    const [here, next] = [points[i], points[i + 1]];
    context.quadraticCurveTo(...at(here), ...at({ x: (here.x + next.x) / 2, y: (here.y + next.y) / 2 }));
  }
  const [x, y] = at(points[points.length - 1]);
  context.lineTo(x + 0.01, y); // a line of no length would not be drawn, and a dot is one
  context.stroke();
}

/** 28 x 28 brightnesses 0..255 as ink of one colour, enlarged smoothly. */
function drawPixels(context, side, pixels, ink) {
  const small = new OffscreenCanvas(pixels[0].length, pixels.length);
  const brush = small.getContext("2d");
  const image = brush.createImageData(small.width, small.height);
  pixels.flat().forEach((value, i) => (image.data[4 * i + 3] = value));
  brush.putImageData(image, 0, 0);
  brush.globalCompositeOperation = "source-in";
  brush.fillStyle = ink;
  brush.fillRect(0, 0, small.width, small.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, side, side);
}

/** A picture file, all of it, in the middle. White behind it, since it may be transparent. */
function drawBitmap(context, side, bitmap) {
  const scale = side / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  const box = [(side - width) / 2, (side - height) / 2, width, height];
  context.fillStyle = "#fff";
  context.fillRect(...box);
  context.drawImage(bitmap, ...box);
}

/** The scene as a PNG file, black on white. */
export function toPng(scene) {
  const canvas = new OffscreenCanvas(SENT_SIDE + 2 * MARGIN, SENT_SIDE + 2 * MARGIN);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.translate(MARGIN, MARGIN);
  drawScene(context, SENT_SIDE, scene, "#000");
  return canvas.convertToBlob({ type: "image/png" });
}

/** The canvas that one draws on: as fine as the screen, repainted at most once a frame. */
export class Paper {
  #canvas;
  #scene;
  #cursor;
  #frame = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    const fit = () => {
      canvas.width = canvas.height = Math.round(canvas.clientWidth * devicePixelRatio);
      this.#paint();
    };
    new ResizeObserver(fit).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  /** Show a scene, and the keyboard's pen where there is one: {x, y, down}. */
  show(scene, cursor = null) {
    this.#scene = scene;
    this.#cursor = cursor;
    this.#frame ||= requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    this.#frame = 0;
    if (!this.#scene) return;
    const side = this.#canvas.width;
    const context = this.#canvas.getContext("2d");
    const style = getComputedStyle(this.#canvas);
    context.clearRect(0, 0, side, side);
    drawScene(context, side, this.#scene, style.getPropertyValue("--ink"));
    if (this.#cursor) this.#paintCursor(context, side, style.getPropertyValue("--blue"));
  }

  #paintCursor(context, side, colour) {
    const { x, y, down } = this.#cursor;
    context.beginPath();
    context.arc(x * side, y * side, (PEN / 2) * side, 0, 2 * Math.PI);
    context.fillStyle = context.strokeStyle = colour;
    context.lineWidth = side / 120;
    if (down) context.fill();
    else context.stroke();
  }
}
