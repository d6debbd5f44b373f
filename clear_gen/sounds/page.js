const recordings = JSON.parse(document.getElementById("audio").textContent);
const status = document.getElementById("status");
const player = new Audio();
let queue = [];
let order = null;

function mark(sound) {
  for (const element of document.querySelectorAll(".playing")) element.classList.remove("playing");
  for (const element of document.querySelectorAll('[data-sound="' + sound + '"]')) element.classList.add("playing");
}

function stop() {
  queue = [];
  if (order) order.textContent = order.dataset.label;
  order = null;
  player.pause();
  mark("none");
  status.textContent = "";
}

async function play(element) {
  mark(element.dataset.sound);
  status.textContent = element.dataset.name;
  const bytes = Uint8Array.from(atob(recordings[element.dataset.sound]), (character) => character.charCodeAt(0));
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(new Blob([bytes], { type: "audio/flac" }));
  try {
    await player.play();
  } catch (error) {
    if (error.name === "AbortError") return; // another sound was chosen before this one began
    stop();
    status.textContent = "This browser did not play the sound: " + error.message;
  }
}

function next() {
  if (queue.length) play(queue.shift());
  else stop();
}

function playInOrder(button) {
  const again = button === order;
  stop();
  if (again) return;
  order = button;
  button.textContent = "Stop";
  queue = [...button.closest("section").querySelectorAll(".sounds button")];
  next();
}

player.addEventListener("ended", next);
document.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-sound], .order");
  if (!chosen) return;
  if (chosen.matches(".order")) return playInOrder(chosen);
  stop();
  play(chosen);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || !event.target.matches(".sounds button")) return;
  const buttons = [...event.target.closest("section").querySelectorAll(".sounds button")];
  const neighbour = buttons[buttons.indexOf(event.target) + step];
  if (neighbour) neighbour.focus();
});
