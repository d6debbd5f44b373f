// What every part of the page needs: elements whose texts are never read as HTML, and data.

export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const by = (id) => document.getElementById(id);

// What the address names; nothing if it is no address of ours.
export function named() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

// Said to those who do not see what has changed.
export function say(text) {
  by("said").textContent = text;
}

export async function read(address) {
  let answer;
  try {
    answer = await fetch(address);
  } catch {
    throw new Error("The server does not answer. Has clear-gen explore ended?");
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.error ?? `${address}: ${answer.status}`);
  return found;
}

// 63.24 -> 1:03.2
export function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  return `${Math.floor(tenths / 600)}:${String((tenths % 600) / 10 | 0).padStart(2, "0")}.${tenths % 10}`;
}
