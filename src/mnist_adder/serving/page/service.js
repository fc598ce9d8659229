// The service, asked in its own terms: scenes come in, answers go out, and every failure is an Unanswered whose message is a
// sentence for the person who draws.

import { toPng } from "./paper.js";

export class Unanswered extends Error {
  /** `retrySeconds`: when asking again may help, or null. */
  constructor(message, retrySeconds = null) {
    super(message);
    this.retrySeconds = retrySeconds;
  }
}

/** The digit and the sum for a scene: what POST /predict says. A sample goes as it is, all else as a picture file. */
export async function predict(scene, number, model, signal) {
  const { picture, strokes } = scene;
  const question = { method: "POST", signal };
  if (picture?.kind === "sample" && strokes.length === 0) {
    question.headers = { "Content-Type": "application/json" };
    question.body = JSON.stringify({ pixels: picture.pixels, number, model: model || undefined });
  } else {
    const file = picture?.kind === "file" ? picture.file : await toPng(scene);
    question.body = new FormData();
    question.body.append("image", file, file.name ?? "drawing.png");
    question.body.append("number", number);
    if (model) question.body.append("model", model);
  }
  return ask("predict", question);
}

/** {models: [{name, model, parameters, joint_accuracy, dataset}], default} */
export const models = () => ask("models");

/** {pixels, digit, source} */
export const sample = () => ask("samples/random", { cache: "no-store" });

async function ask(path, question = {}) {
  let reply;
  try {
    reply = await fetch(path, question);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unanswered("The service does not answer. Is it still running?", 2);
  }
  if (reply.ok) return reply.json();
  const said = await reply.json().catch(() => ({}));
  const sentence = typeof said.detail === "string" ? tidy(said.detail) : `The service failed (${reply.status}).`;
  throw new Unanswered(sentence, reply.status === 503 ? Number(reply.headers.get("Retry-After")) || 1 : null);
}

/** A capital at the beginning, a full stop at the end. */
function tidy(text) {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
