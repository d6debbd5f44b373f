// The timeline of one recording: outline, spectrogram, labelled blocks; play and seek.

import { audioOf } from "./source.js";
import { clock, draw, make } from "./page.js";

const SEEK_S = { ArrowLeft: -0.5, ArrowRight: 0.5, ArrowDown: -0.5, ArrowUp: 0.5, PageDown: -2, PageUp: 2 };
const TICKS = 8;
const UPRIGHT_REM = 3.4; // what a block's words need when they lie

export class Timeline {
  constructor(record) {
    this.record = record;
    this.blocks = record.blocks.map((block) => this.#block(block));
    this.head = make("div", { class: "head" });
    this.stage = make("div", { class: "stage" }, ...this.#panels(), this.#axis(), this.head);
    this.element = make("div", { class: "timeline" }, this.stage, this.#legend());
    this.sizes = new ResizeObserver(() => this.#turn());
    this.sizes.observe(this.stage);
    if (record.outline) this.#hear();
    else this.element.prepend(make("p", { class: "remark" }, "No audio here: the timeline shows what would be heard."));
  }

  #panels() {
    const panels = [];
    if (this.record.outline) {
      panels.push(outlineOf(this.record.outline));
      const picture = make("img", { src: `spectrograms/${this.record.record}.png`, alt: "" });
      panels.push(make("div", { class: "spectrogram" }, picture, ...this.#frequencies()));
    }
    const lanes = Math.max(1, this.record.lanes.length, ...this.record.blocks.map((block) => block.lane + 1));
    for (let lane = 0; lane < lanes; lane += 1) {
      const blocks = this.blocks.filter((_, number) => this.record.blocks[number].lane === lane);
      const name = this.record.lanes.length ? make("span", { class: "lane-name" }, this.record.lanes[lane]) : null;
      panels.push(make("div", { class: name ? "lane named" : "lane", "aria-hidden": "true" }, name, ...blocks));
    }
    return panels;
  }

  #frequencies() {
    return this.record.frequencies.map(([name, height]) => {
      const at = make("span", { "aria-hidden": "true" }, name);
      at.style.bottom = `${100 * height}%`;
      return at;
    });
  }

  #legend() {
    const items = this.record.legend.map(([name, colour]) => {
      const swatch = make("span", {});
      swatch.style.setProperty("--colour", colour);
      return make("li", {}, swatch, name);
    });
    return items.length ? make("ul", { class: "legend" }, ...items) : null;
  }

  // All words lie or all stand, as the narrowest block allows.
  #turn() {
    const narrowest = Math.min(...this.record.blocks.map((block) => block.stop_s - block.start_s));
    const pixels = (narrowest / this.record.duration_s) * this.stage.clientWidth;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.stage.classList.toggle("upright", !this.record.lanes.length && pixels < UPRIGHT_REM * rem);
  }

  #block(block) {
    const words = make("span", { class: "words" }, ...block.words.map((word) => make("span", {}, word)));
    const element = make("div", { class: "block", title: block.words.join(", ") }, words);
    element.style.setProperty("--colour", block.colour);
    this.#place(element, block.start_s, block.stop_s);
    return element;
  }

  #place(element, start, stop) {
    const share = (seconds) => `${(100 * seconds) / this.record.duration_s}%`;
    element.style.left = share(start);
    element.style.width = share(stop - start);
  }

  #axis() {
    const { duration_s: duration, dry_s: dry } = this.record;
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200].find((size) => duration / size <= TICKS) ?? duration;
    const axis = make("div", { class: "axis", "aria-hidden": "true" });
    for (let tick = 0; tick * step <= duration * 0.97; tick += 1) {
      const at = make("span", {}, `${Number((tick * step).toFixed(1))}${tick ? "" : " s"}`);
      at.style.left = `${(100 * tick * step) / duration}%`;
      axis.append(at);
    }
    if (dry < duration) {
      const tail = make("span", { class: "tail", title: "reverberation" });
      this.#place(tail, dry, duration);
      axis.append(tail);
    }
    return axis;
  }

  // --- play and seek ---

  #hear() {
    this.audio = make("audio", { preload: "auto" });
    audioOf(`audio/${this.record.record}.flac`).then(
      (address) => (this.audio.src = address),
      (error) => this.#fail(error.message),
    );
    this.button = make("button", { type: "button", class: "play" }, "Play");
    this.time = make("span", { class: "time" });
    const hint = make("span", { class: "hint" }, "Space plays. On the timeline: click or arrow keys to seek.");
    this.element.prepend(make("div", { class: "controls" }, this.button, this.time, hint), this.audio);
    const slider = { role: "slider", tabindex: 0, "aria-label": "Position in the recording", "aria-valuemin": 0 };
    for (const [name, value] of Object.entries(slider)) this.stage.setAttribute(name, value);
    this.stage.setAttribute("aria-valuemax", this.record.duration_s.toFixed(1));
    this.stage.classList.add("heard");
    this.button.addEventListener("click", () => this.toggle());
    this.stage.addEventListener("keydown", (event) => this.#key(event));
    this.stage.addEventListener("pointerdown", (event) => this.#point(event));
    this.stage.addEventListener("pointermove", (event) => event.buttons === 1 && this.#point(event));
    for (const name of ["play", "pause", "seeked", "timeupdate", "ended"]) {
      this.audio.addEventListener(name, () => this.#show());
    }
    this.audio.addEventListener("error", () => this.#fail("its audio cannot be read"));
    this.#show();
  }

  get isPlaying() {
    return this.audio && !this.audio.paused;
  }

  toggle() {
    if (this.isPlaying) this.stop();
    else this.play(this.audio.ended ? 0 : this.audio.currentTime);
  }

  stop() {
    if (this.audio) this.audio.pause();
  }

  // Another record is shown.
  close() {
    this.stop();
    this.sizes.disconnect();
    if (this.audio) URL.revokeObjectURL(this.audio.src);
  }

  // Plays from a time in s to another one, to the end if there is none.
  async play(from, to = Infinity) {
    if (!this.audio) return;
    this.audio.currentTime = from;
    this.until = to;
    try {
      await this.audio.play();
      this.#follow();
    } catch (error) {
      if (error.name !== "AbortError") this.#fail(error.message);
    }
  }

  seek(seconds) {
    this.until = Infinity;
    this.audio.currentTime = Math.min(Math.max(0, seconds), this.record.duration_s);
    this.#show();
  }

  #follow() {
    if (!this.isPlaying) return;
    if (this.audio.currentTime >= this.until) this.stop();
    this.#show();
    requestAnimationFrame(() => this.#follow());
  }

  #show() {
    const at = this.audio.currentTime;
    this.head.style.left = `${Math.min(100, (100 * at) / this.record.duration_s)}%`;
    this.button.textContent = this.isPlaying ? "Pause" : "Play";
    this.time.textContent = `${clock(at)} / ${clock(this.record.duration_s)}`;
    this.stage.setAttribute("aria-valuenow", at.toFixed(1));
    this.stage.setAttribute("aria-valuetext", `${at.toFixed(1)} seconds, ${this.#heardAt(at) || "silence"}`);
  }

  #heardAt(at) {
    const heard = this.record.blocks.filter((block) => block.start_s <= at && at < block.stop_s);
    return heard.map((block) => block.words.join(" ")).join(" and ");
  }

  #key(event) {
    const target = { Home: 0, End: this.record.duration_s }[event.key];
    if (event.key in SEEK_S) this.seek(this.audio.currentTime + SEEK_S[event.key]);
    else if (target !== undefined) this.seek(target);
    else return;
    event.preventDefault();
  }

  #point(event) {
    const box = this.stage.getBoundingClientRect();
    this.seek(((event.clientX - box.left) / box.width) * this.record.duration_s);
  }

  #fail(why) {
    this.time.textContent = `This browser did not play it: ${why}`;
  }

  // Sets off what a step keeps; nothing if there is none.
  mark(step) {
    this.stage.classList.toggle("choosing", Boolean(step));
    for (const [number, block] of this.blocks.entries()) {
      block.classList.toggle("kept", Boolean(step?.sounds.includes(number)));
      block.classList.toggle("perhaps", Boolean(step?.perhaps.includes(number)));
    }
  }
}

function outlineOf(pairs) {
  const points = [...pairs.map(([, high], x) => [x, high]), ...pairs.map(([low], x) => [x, low]).reverse()];
  const path = points.map(([x, y]) => `${x} ${100 - y}`).join("L");
  const size = { viewBox: `0 0 ${Math.max(1, pairs.length - 1)} 200`, preserveAspectRatio: "none", "aria-hidden": "true" };
  return draw("svg", { class: "outline", ...size }, draw("path", { d: `M${path}Z` }));
}
