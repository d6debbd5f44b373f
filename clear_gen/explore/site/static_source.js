// source.js of a folder of files: filters the rows of a list here, as clear_gen/explore/{scenes,mixtures}.py do it in
// place of live_source.js.

import { read } from "./page.js";

const PAGE_ROWS = 50;
const OF_RECORD = ["split", "config", "fold", "label"];
const OF_QUESTION = ["type", "answer", "verdict"];
const everything = read("lists.json");

const is = (row, query, names) =>
  names.every((name) => !query[name] || [row[name]].flat().includes(query[name]));
const isLong = (row, query) =>
  row.length_s === undefined || (row.length_s >= (query.from_s || 0) && row.length_s <= (query.to_s || Infinity));
const says = (query, ...texts) => texts.some((text) => text.toLowerCase().includes((query.text || "").toLowerCase()));
const isAsked = (query) => (row) => is(row, query, OF_QUESTION) && says(query, row.title, row.id);

export async function rowsOf(list, query) {
  const lists = await everything;
  let rows = lists[list].filter((row) => is(row, query, OF_RECORD) && isLong(row, query));
  if (list === "questions") rows = rows.filter(isAsked(query));
  if (list === "mixtures") rows = rows.filter((row) => says(query, `${row.title} ${row.label.join(" ")}`));
  const aboutQuestions = OF_QUESTION.some((name) => query[name]);
  if (list === "scenes" && (aboutQuestions || query.text)) {
    const kept = new Set((lists.questions ?? []).filter(isAsked(query)).map((row) => row.record));
    rows = rows.filter((row) => kept.has(row.record) || (!aboutQuestions && says(query, row.title)));
  }
  const page = Number(query.page || 1);
  const pages = Math.max(1, Math.ceil(rows.length / PAGE_ROWS));
  const first = (page - 1) * PAGE_ROWS;
  return { total: rows.length, page, pages, first: first + 1, rows: rows.slice(first, first + PAGE_ROWS) };
}

// The whole file: a server that knows no ranges allows no seeking.
export async function audioOf(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type: "audio/flac" }));
}
