// The page: a drawing and a number go in, "5 + 7 = 12" comes out while one draws. This file joins the others:
//
//   pen -> history -> paper            what is drawn, undone, shown
//             \-> live -> service      what is asked
//                   \-> answer         what is shown and said of the answer

import { build, percent, say, showAnswer, showEmpty, showNumber, showProblem, speak } from "./answer.js";
import { History, isEmpty } from "./history.js";
import { Live } from "./live.js";
import { Paper } from "./paper.js";
import { drawByPointer, KeyboardPen } from "./pen.js";
import { models, predict, sample, Unanswered } from "./service.js";

const $ = (id) => document.getElementById(id);
const canvas = $("canvas");
const history = new History();
const paper = new Paper(canvas);
let number = 7;
let stroke = null; // the one that is being drawn

const scene = () => (stroke ? { picture: underStroke(), strokes: [...history.now.strokes, stroke] } : history.now);
const underStroke = () => (history.now.picture?.kind === "sample" ? history.now.picture : null);

const live = new Live({
  ask: (signal) => predict(scene(), number, $("model").value, signal),
  show: showAnswer,
  fail(error) {
    if (!(error instanceof Unanswered)) console.error(error); // a fault of this page
    showProblem(error instanceof Unanswered ? error.message : "This page has failed. Load it again.");
  },
  busy: (whether) => $("answer").setAttribute("aria-busy", whether),
});

/** Show what has become of the paper. `settled`: nothing is being drawn at the moment. */
function refresh(settled) {
  const empty = isEmpty(scene());
  paper.show(scene(), document.activeElement === canvas ? keyboardPen.cursor : null);
  $("placeholder").hidden = !empty;
  $("undo").disabled = !history.canUndo;
  $("redo").disabled = !history.canRedo;
  $("clear").disabled = empty;
  $("note").textContent = note(scene().picture);
  if (!settled) return;
  if (empty) {
    live.stop();
    showEmpty();
  } else live.now();
}

function note(picture) {
  if (!picture) return isEmpty(scene()) ? "Or open, drop or paste a picture of one." : "";
  if (picture.kind === "sample") return `From ${picture.source}, where it is labelled ${picture.digit}.`;
  const name = picture.file.name || "A picture";
  return picture.bitmap ? `${name}. Drawing begins a new one.` : `${name}, which this browser cannot show.`;
}

const drawing = {
  moved(points) {
    const changed = points !== null || stroke !== null;
    stroke = points;
    refresh(false);
    if (changed && !isEmpty(scene())) live.soon();
    else if (changed) refresh(true);
  },
  done(points) {
    stroke = null;
    history.addStroke(points);
    refresh(true);
  },
  said: (text) => speak(text),
};
drawByPointer(canvas, drawing);
const keyboardPen = new KeyboardPen(canvas, drawing);

/** Undo, redo and clear first end what the keyboard's pen is drawing. */
function change(what) {
  keyboardPen.lift();
  stroke = null;
  history[what]();
  refresh(true);
}

function setNumber(value) {
  number = value;
  $("numbers").querySelector(`[value="${value}"]`).checked = true;
  showNumber(number);
  if (!isEmpty(scene())) live.now();
}

async function takeSample() {
  try {
    history.put({ picture: { kind: "sample", ...(await sample()) }, strokes: [] });
    refresh(true);
  } catch (error) {
    say(error.message, "problem");
  }
}

async function takeFile(file) {
  const bitmap = await createImageBitmap(file).catch(() => null); // the service reads some kinds that browsers do not
  history.put({ picture: { kind: "file", file, bitmap }, strokes: [] });
  refresh(true);
}

/** The first picture among files that were chosen, dropped or pasted. */
function takeFirst(files, otherwise) {
  const file = [...files].find(({ type }) => type.startsWith("image/")) ?? files[0];
  if (file) takeFile(file);
  else say(otherwise, "problem");
}

function listenToKeys() {
  const plain = { Delete: () => change("clear"), Escape: () => change("clear"), r: takeSample };
  const withControl = { z: () => change("undo"), Z: () => change("redo"), y: () => change("redo") };
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.target.matches("select, input[type=text]")) return;
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 && !control ? event.key.toLowerCase() : event.key;
    const act = (control ? withControl : plain)[event.shiftKey && control ? key.toUpperCase() : key];
    if (!control && /^[0-9]$/.test(key)) setNumber(Number(key));
    else if (act) act();
    else return;
    event.preventDefault();
  });
}

function listenToFiles() {
  $("open").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    takeFirst($("file").files, "No file was chosen.");
    $("file").value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", (event) => {
    takeFirst(event.clipboardData.files, "There is no picture in the clipboard.");
  });
  const dragging = (on) => $("paper").classList.toggle("dragging", on);
  document.addEventListener("dragover", (event) => {
    event.preventDefault(); // or the browser would leave this page for the file
    dragging(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && dragging(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    dragging(false);
    takeFirst(event.dataTransfer.files, "That was no picture file.");
  });
}

function buildNumbers() {
  for (let value = 0; value <= 9; value++) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "number", value, checked: value === number });
    input.addEventListener("change", () => setNumber(value));
    label.append(input, Object.assign(document.createElement("span"), { textContent: value }));
    $("numbers").append(label);
  }
}

async function listModels() {
  const known = await models();
  for (const { name } of known.models) $("model").append(new Option(name, name, name === known.default, name === known.default));
  const describe = () => {
    const chosen = known.models.find(({ name }) => name === $("model").value);
    const { model, parameters, joint_accuracy: right, dataset } = chosen;
    const facts = [];
    if (parameters !== null) facts.push(`${parameters.toLocaleString("en")} parameters`);
    if (right !== null) facts.push(`${percent(right, 2)} of ${dataset} test pairs right`);
    $("about").textContent = [model, facts.join(", ")].filter(Boolean).join(": ");
  };
  $("model").addEventListener("change", () => {
    describe();
    if (!isEmpty(scene())) live.now();
  });
  describe();
}

build();
buildNumbers();
showNumber(number);
for (const what of ["undo", "redo", "clear"]) $(what).addEventListener("click", () => change(what));
$("random").addEventListener("click", takeSample);
listenToKeys();
listenToFiles();
refresh(true);
listModels().catch((error) => say(error.message, "problem"));
