// One scene or mixture: its facts, its timeline, its questions step by step, its sounds as a table.

import { verdict } from "./filters.js";
import { by, make, read, say } from "./page.js";
import { Timeline } from "./timeline.js";

let shown = null; // the record's address
let timeline = null;
let rows = [];

export async function showRecord(address, questionId) {
  if (address !== shown) {
    shown = address;
    if (timeline) timeline.close();
    const found = await read(`records/${address}.json`).catch((error) => ({ error }));
    if (address !== shown) return;
    timeline = null;
    by("record").replaceChildren(...(found.error ? [failure(found.error)] : parts(found)));
  }
  openQuestion(questionId);
}

function failure(error) {
  return make("p", { class: "remark", role: "alert" }, error.message);
}

function parts(found) {
  timeline = new Timeline(found);
  rows = found.table.map((cells, number) => row(cells, found.blocks[number]));
  const head = make("tr", {}, ...found.head.map((name) => make("th", { scope: "col" }, name)));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  return [
    make("h2", { tabindex: -1 }, found.title),
    facts(found.facts),
    also(found.also),
    timeline.element,
    ...questions(found.questions),
    make("h3", {}, found.lanes.length || !found.head.includes("sound") ? "Events" : "Sounds"),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of sounds" }, table),
  ].filter(Boolean);
}

function facts(found) {
  const pairs = Object.entries(found).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  return make("dl", {}, ...pairs);
}

function also(found) {
  const links = Object.entries(found).map(([name, address]) => make("a", { href: `#${address}` }, name));
  return links.length ? make("p", { class: "also" }, "The same at ", ...links.flatMap((link) => [link, " "])) : null;
}

function row(cells, block) {
  const [number, ...rest] = cells;
  let first = number;
  if (timeline.audio) {
    first = make("button", { type: "button", "aria-label": `Play ${block.words.join(" ")}` }, `▶ ${number}`);
    first.addEventListener("click", () => timeline.play(block.start_s, block.stop_s));
  }
  return make("tr", {}, make("th", { scope: "row" }, first), ...rest.map((cell) => make("td", {}, cell)));
}

// --- questions ---

function questions(found) {
  if (!found.length) return [];
  return [make("h3", {}, "Questions"), ...found.map((asked, number) => question(asked, number))];
}

function question(asked, number) {
  const answer = make("span", { class: "answer" }, asked.answer);
  const note = make("span", { class: "note" }, asked.type, " · ", answer);
  if (asked.verdict && asked.verdict !== "none") note.append(" · ", verdict(asked));
  const steps = make("ol", { class: "steps", id: `steps-${number}`, start: 0, hidden: "" });
  const expanded = { type: "button", class: "ask", "aria-expanded": "false", "aria-controls": steps.id };
  const button = make("button", expanded, make("span", {}, asked.title), note);
  steps.append(...asked.steps.map((found, place) => step(found, place)));
  steps.append(make("li", { class: "outcome" }, ...outcome(asked)));
  button.addEventListener("click", () => setOpen(button, button.getAttribute("aria-expanded") !== "true"));
  steps.addEventListener("keydown", moved);
  return make("section", { class: "question", "data-id": asked.id }, button, steps);
}

function outcome(asked) {
  if (asked.outcome === asked.answer) return ["answer: ", make("b", {}, asked.outcome)];
  return [make("b", { class: "verdict wrong" }, `${asked.outcome}; stored answer: ${asked.answer}`)];
}

function step(found, place) {
  const of = found.inputs.length ? ` of ${found.inputs.join(", ")}` : "";
  const button = make(
    "button",
    { type: "button", "aria-pressed": "false" },
    make("span", { class: "number" }, String(place)),
    make("span", { class: "function" }, found.function, make("span", { class: "of" }, of)),
    make("span", { class: "gives" }, found.gives),
  );
  const choose = () => mark(button, found, place);
  button.addEventListener("focus", choose);
  button.addEventListener("click", choose);
  return make("li", {}, button);
}

function mark(button, found, place) {
  for (const other of by("record").querySelectorAll(".steps button")) {
    other.setAttribute("aria-pressed", String(other === button));
  }
  timeline.mark(found);
  for (const [number, element] of rows.entries()) {
    element.classList.toggle("kept", Boolean(found?.sounds.includes(number)));
    element.classList.toggle("perhaps", Boolean(found?.perhaps.includes(number)));
  }
  if (found) say(`Step ${place}, ${found.function}: ${found.gives}`);
}

function setOpen(button, isOpen) {
  for (const other of by("record").querySelectorAll(".ask")) {
    const opened = other === button && isOpen;
    other.setAttribute("aria-expanded", String(opened));
    by(other.getAttribute("aria-controls")).hidden = !opened;
  }
  mark(null, null);
}

function openQuestion(id) {
  const all = [...by("record").querySelectorAll(".question")];
  const wanted = all.find((section) => section.dataset.id === id) ?? all[0];
  if (wanted) setOpen(wanted.querySelector(".ask"), true);
}

function moved(event) {
  if (event.key === "Escape") return mark(null, null);
  const change = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!change) return null;
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const next = buttons[buttons.indexOf(event.target) + change];
  event.preventDefault();
  return next?.focus();
}

// Space plays wherever it has no other meaning.
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || !timeline?.audio || event.target.closest("button, input, select, a, summary")) return;
  event.preventDefault();
  timeline.toggle();
});
