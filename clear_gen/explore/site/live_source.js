// What needs a server that knows more than files. Where there is none, filtered.js has this name.

import { read } from "./page.js";

// The rows of a list, filtered.
export function rowsOf(list, query) {
  return read(`lists/${list}?${new URLSearchParams(query)}`);
}

// What an audio element plays.
export async function audioOf(address) {
  return address;
}
