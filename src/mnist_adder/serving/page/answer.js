// What the network answered, for eyes and ears: the answer of POST /predict comes in and the page shows it. Everything is
// written as text, nothing as markup.

const DIGITS = 10;
const SUMS = 19;
const SPOKEN_AFTER = 700; // milliseconds without a new answer: while one draws, nobody wants to be told each

const $ = (id) => document.getElementById(id);

/** 0.9987 -> "99.9 %"; what is nearly certain is not called certain, nor the unlikely impossible. */
export function percent(probability, places = 1) {
  const step = 10 ** -places;
  if (100 * probability > 100 - step / 2) return `>${(100 - step).toFixed(places)} %`;
  return 100 * probability < step / 2 ? `<${step} %` : `${(100 * probability).toFixed(places)} %`;
}

/** Build the two charts, on one grid of 19 columns so that each digit can stand above its sum. */
export function build() {
  for (const [id, count] of [["digit-bars", DIGITS], ["sum-bars", SUMS]]) {
    for (let value = 0; value < count; value++) {
      const column = document.createElement("div");
      const bar = document.createElement("i");
      const label = document.createElement("span");
      label.textContent = value;
      column.append(bar, label);
      $(id).append(column);
    }
  }
}

/** The number that is added. */
export function showNumber(number) {
  $("addend").textContent = $("shift").textContent = number;
  $("steps").textContent = number === 1 ? "1 step" : `${number} steps`;
  $("digit-bars").style.setProperty("--shift", number);
}

export function showAnswer(answer) {
  const { digit, number, sum } = answer;
  $("digit").textContent = digit;
  $("addend").textContent = number;
  $("sum").textContent = sum;
  $("equation").dataset.state = "answered";
  showBars("digit-bars", "Digit", answer.digit_probabilities);
  showBars("sum-bars", "Sum", answer.sum_probabilities);
  showSeen(answer.seen);
  const remark = comment(answer);
  say(remark.text, remark.kind, `${digit} plus ${number} is ${sum}. ${remark.text}`);
}

export function showEmpty() {
  blank("empty");
  say("Nothing drawn yet: draw a digit.", "hint");
}

/** A sentence in place of the answer. */
export function showProblem(sentence) {
  blank("failed");
  say(sentence, "problem");
}

/** Tell everybody: `text` to eyes, `spoken` to screen readers once it has settled. */
export function say(text, kind, spoken = text) {
  $("message").textContent = text;
  $("message").dataset.kind = kind;
  speak(spoken, SPOKEN_AFTER);
}

let speaking = 0;
export function speak(text, after = 0) {
  clearTimeout(speaking);
  speaking = setTimeout(() => ($("spoken").textContent = text), after);
}

/** How sure the network is, in a sentence. */
function comment({ digit, number, sum, digit_probabilities: probabilities, is_digit: isDigit, several }) {
  if (several) return { kind: "doubt", text: "These seem to be several digits" };
  if (!isDigit) return { kind: "doubt", text: "This may be no digit, or several" };
  if (digit + number !== sum) {
    return { kind: "doubt", text: "Its two answers disagree." };
  }
  const [first, second] = ranked(probabilities);
  if (probabilities[first] >= 0.8) return { kind: "sure", text: `${percent(probabilities[first])} sure` };
  return {
    kind: "doubt",
    text: `Not sure: ${percent(probabilities[first], 0)} a ${first}, ${percent(probabilities[second], 0)} a ${second}`,
  };
}

const ranked = (probabilities) =>
  probabilities.map((_, value) => value).sort((a, b) => probabilities[b] - probabilities[a]);

function showBars(id, name, probabilities) {
  const order = ranked(probabilities);
  Array.from($(id).children).forEach((column, value) => {
    column.style.setProperty("--share", probabilities[value]);
    column.classList.toggle("top", value === order[0]);
    column.title = `${name} ${value}: ${percent(probabilities[value])}`;
  });
  const likely = order.slice(0, 3).filter((value, rank) => rank === 0 || probabilities[value] >= 0.001);
  const words = likely.map((value) => `${value}: ${percent(probabilities[value])}`);
  $(id).setAttribute("aria-label", `${name}, most likely first: ${words.join(", ")}`);
}

function showSeen(seen) {
  const context = $("seen").getContext("2d");
  const image = context.createImageData(28, 28);
  seen.flat().forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  context.putImageData(image, 0, 0);
  $("seen").setAttribute("aria-label", "What the network sees, 28 by 28 pixels");
}

function blank(state) {
  $("digit").textContent = $("sum").textContent = "?";
  $("equation").dataset.state = state;
  for (const [id, name] of [["digit-bars", "digit"], ["sum-bars", "sum"]]) {
    $(id).setAttribute("aria-label", `No ${name} yet`);
    for (const column of $(id).children) {
      column.style.setProperty("--share", 0);
      column.classList.remove("top");
      column.removeAttribute("title");
    }
  }
  $("seen").getContext("2d").clearRect(0, 0, 28, 28);
  $("seen").setAttribute("aria-label", "What the network sees: nothing yet");
}
