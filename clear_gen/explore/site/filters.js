// The form, and the list of what it leaves.

import { rowsOf } from "./source.js";
import { by, make, named } from "./page.js";

const NAMES = { verdict: "prediction", config: "SNR" };
const TYPING_MS = 200;
let about;
let asked = 0; // an answer that comes after the next question is passed over
let page = 1;

export function showFilters(found) {
  about = found;
  const form = by("filters");
  form.append(listChoice());
  form.append(labelled("search", make("input", { type: "search", name: "text", autocomplete: "off" })));
  for (const [name, values] of Object.entries(about.filters)) form.append(labelled(NAMES[name] ?? name, choice(name, values)));
  if (about.lengths_s) {
    const [least, most] = about.lengths_s;
    const bounds = { type: "number", min: 0, step: "any", inputmode: "decimal" };
    form.append(labelled("from, s", make("input", { ...bounds, name: "from_s", placeholder: least })));
    form.append(labelled("to, s", make("input", { ...bounds, name: "to_s", placeholder: most })));
  }
  form.append(make("button", { type: "reset" }, "Clear"));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => changed(event.target));
  let waiting;
  form.addEventListener("input", (event) => {
    clearTimeout(waiting);
    if (event.target.matches("input:not([type=radio])")) waiting = setTimeout(showRows, TYPING_MS, 1);
  });
  form.addEventListener("reset", () => setTimeout(() => changed(form.elements.type)));
  by("previous").addEventListener("click", () => showRows(page - 1));
  by("next").addEventListener("click", () => showRows(page + 1));
  by("rows").addEventListener("keydown", moved);
}

function listChoice() {
  const isOnly = about.lists.length === 1 && "";
  const group = make("fieldset", { class: "lists", hidden: isOnly }, make("legend", { class: "unseen" }, "What to list"));
  for (const [number, list] of about.lists.entries()) {
    const input = make("input", { type: "radio", name: "list", value: list, checked: number === 0 && "" });
    group.append(make("label", {}, input, make("span", {}, list)));
  }
  return group;
}

function labelled(name, control) {
  return make("label", {}, make("span", {}, name), control);
}

function choice(name, values) {
  return make("select", { name }, ...options(values));
}

function options(values) {
  return [make("option", { value: "" }, "any"), ...values.map((value) => make("option", { value }, value))];
}

// The answers on offer are those of the chosen type.
function changed(control) {
  const { type, answer } = by("filters").elements;
  if (control && control === type && answer) {
    const before = answer.value;
    answer.replaceChildren(...options(about.answers[type.value] ?? about.filters.answer));
    if ([...answer.options].some((option) => option.value === before)) answer.value = before;
  }
  showRows(1);
}

export async function showRows(wanted) {
  const given = Object.fromEntries([...new FormData(by("filters"))].filter(([, value]) => value));
  const { list, ...query } = given;
  const mine = (asked += 1);
  let found;
  try {
    found = await rowsOf(list, { ...query, page: wanted });
  } catch (error) {
    if (mine === asked) by("count").textContent = error.message;
    return null;
  }
  if (mine !== asked) return null;
  page = found.page;
  const number = (count) => count.toLocaleString("en");
  const range = found.rows.length ? `${number(found.first)}–${number(found.first + found.rows.length - 1)} of ` : "";
  by("count").textContent = `${range}${number(found.total)} ${list}`;
  by("rows").replaceChildren(...found.rows.map(row));
  by("page").textContent = `${number(page)} of ${number(found.pages)}`;
  by("previous").disabled = page <= 1;
  by("next").disabled = page >= found.pages;
  markChosen();
  return found.rows;
}

export function addressOf(row) {
  return row.id === undefined ? `#${row.record}` : `#${row.record}/${row.id}`;
}

function row(found) {
  const note = make("span", { class: "note" }, found.note);
  if (found.id !== undefined) {
    note.append(`${found.id} · ${found.type} · `, make("b", {}, found.answer));
    if (found.verdict && found.verdict !== "none") note.append(" · ", verdict(found));
  }
  return make("li", {}, make("a", { href: addressOf(found) }, make("span", {}, found.title), note));
}

export function verdict({ verdict: found, predicted }) {
  const sign = { right: "✓", wrong: "✗", unread: "?" }[found];
  return make("span", { class: `verdict ${found}` }, `${sign} ${found}: ${predicted ?? "no answer"}`);
}

export function markChosen() {
  for (const link of by("rows").querySelectorAll("a")) {
    const isChosen = link.getAttribute("href") === `#${named()}`;
    if (isChosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function moved(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const links = [...by("rows").querySelectorAll("a")];
  const next = links[links.indexOf(event.target) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
