// source.js of a server that filters and pages the lists. On a server of files, static_source.js takes its place.

import { read } from "./page.js";

// The rows of a list, filtered.
export function rowsOf(list, query) {
  return read(`lists/${list}?${new URLSearchParams(query)}`);
}

// What an audio element plays.
export async function audioOf(address) {
  return address;
}
