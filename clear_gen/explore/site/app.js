// Begins with what there is, lists it, and shows what the address names: #<config>/<id> or #<config>/<id>/<question>.

import { addressOf, markChosen, showFilters, showRows } from "./filters.js";
import { by, named, read } from "./page.js";
import { showRecord } from "./record.js";

by("unserved").remove();

async function begin() {
  const about = await read("dataset.json");
  document.title = `${about.name}: clear-gen explore`;
  by("name").textContent = about.name;
  by("facts").textContent = about.facts.join(" · ");
  showFilters(about);
  const rows = await showRows(1);
  if (location.hash.length < 2 && rows?.length) history.replaceState(null, "", addressOf(rows[0]));
  await go();
}

async function go() {
  const [config, name, question] = named().split("/");
  if (name === undefined) return;
  await showRecord(`${encodeURIComponent(config)}/${encodeURIComponent(name)}`, question);
  markChosen();
}

// What was asked for by hand is shown where it is seen, also below the list on a narrow screen.
addEventListener("hashchange", async () => {
  await go();
  by("record").querySelector("h2")?.focus();
});

begin().catch((error) => {
  by("facts").textContent = error.message;
});
