/**
 * `Waveform`: the waveform of a recording, with the place of its player.
 *
 * A click plays from there. It is a slider for keyboards: arrows move by a second, Page Up and Page
 * Down by ten, Home and End to the ends, Space and Enter play and stop.
 */

import { setLabel } from "./interface_texts.js";
import { make } from "./dom.js";

const BAR = 3; // pixels of a bar with the gap behind it
const FINE = 4096; // parts of a recording, computed once; more than bars on any screen
const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

export class Waveform {
  #player;
  #fine = [];
  #peaks = [];
  #range = null;
  #canvas = make("canvas");

  /**
   * @param {Player} player its recording is shown; the player's element becomes part of this one.
   */
  constructor(player) {
    this.#player = player;
    /** The element to put into the page. Its size is the style sheet's. */
    this.element = make("div", {
      class: "waveform",
      role: "slider",
      tabindex: "0",
      "aria-valuemin": "0",
      "aria-valuemax": "0",
      "aria-valuenow": "0",
      click: (event) => this.#click(event),
      keydown: (event) => this.#key(event),
    });
    setLabel(this.element, "waveform");
    this.element.append(this.#canvas, player.element);
    player.addEventListener("time", () => this.#draw());
    player.addEventListener("state", () => this.#draw());
    new ResizeObserver(() => this.#resize()).observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /**
   * Show a recording.
   * @param {?Sound} sound its samples; null draws a line.
   */
  show(sound) {
    this.#fine = sound === null ? [] : loudest(sound.samples, FINE);
    this.#resize();
  }

  /** Highlight a range, in seconds. */
  mark(start, end) {
    this.#range = [start, end];
    this.#draw();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const scale = window.devicePixelRatio;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    this.#peaks = peaks(this.#fine, Math.floor(width / BAR));
    this.#draw();
  }

  #draw() {
    const { width, height } = this.#canvas;
    const context = this.#canvas.getContext("2d");
    const style = getComputedStyle(this.element);
    const color = (name) => style.getPropertyValue(`--${name}`);
    const duration = this.#player.duration;
    const at = duration ? this.#player.time / duration : 0;
    context.clearRect(0, 0, width, height);
    if (this.#range !== null && duration) {
      const [start, end] = this.#range.map((seconds) => (seconds / duration) * width);
      context.fillStyle = color("wave-range");
      context.fillRect(start, 0, Math.max(2, end - start), height);
    }
    const step = width / Math.max(1, this.#peaks.length);
    this.#peaks.forEach((peak, i) => {
      const tall = Math.max(2, peak * height * 0.9);
      context.fillStyle = color(i / this.#peaks.length < at ? "wave-played" : "wave");
      context.fillRect(i * step, (height - tall) / 2, step * 0.66, tall);
    });
    context.fillStyle = color("wave-place");
    context.fillRect(Math.min(width - 2, at * width), 0, 2, height);
    this.element.setAttribute("aria-valuemax", duration.toFixed(2));
    this.element.setAttribute("aria-valuenow", this.#player.time.toFixed(2));
    this.element.setAttribute("aria-valuetext", `${clock(this.#player.time)} / ${clock(duration)}`);
  }

  #click(event) {
    const box = this.element.getBoundingClientRect();
    this.#player.play(((event.clientX - box.left) / box.width) * this.#player.duration);
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const player = this.#player;
    if (event.key in STEPS) player.time = player.time + STEPS[event.key];
    else if (event.key === "Home") player.time = 0;
    else if (event.key === "End") player.time = player.duration;
    else if (event.key === " " || event.key === "Enter") player.toggle();
    else return;
    event.preventDefault();
  }
}

/** Seconds as m:ss.t, or h:mm:ss.t from an hour. */
export function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const [hours, minutes] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60];
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** The largest absolute value in each of `count` parts, or of as many as there are values. */
function loudest(values, count) {
  const parts = Math.min(count, values.length);
  const found = new Array(parts).fill(0);
  for (let part = 0; part < parts; part++) {
    const end = Math.floor(((part + 1) / parts) * values.length);
    for (let i = Math.floor((part / parts) * values.length); i < end; i++) {
      found[part] = Math.max(found[part], Math.abs(values[i]));
    }
  }
  return found;
}

/** The height of each bar, 0 to 1; without a sound all are 0. */
function peaks(fine, count) {
  if (!fine.length) return new Array(count).fill(0);
  const found = loudest(fine, count);
  const largest = Math.max(...found, 0.01); // silence stays flat
  return found.map((peak) => peak / largest);
}
