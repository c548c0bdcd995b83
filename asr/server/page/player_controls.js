/** The button that plays a recording, its place, and the choice of the speed. */

import { make } from "./dom.js";
import { setLabel, setText } from "./interface_texts.js";
import { clock } from "./waveform.js";

const RATES = [0.5, 0.75, 1, 1.25, 1.5];

/**
 * The controls of a player.
 * @param {Player} player
 * @param {number[]} rates speeds to choose from; 1 as recorded.
 * @returns {HTMLElement}
 */
export function playerControls(player, rates = RATES) {
  const button = make("button", { type: "button", click: () => player.toggle() });
  const speed = make("select", { change: () => (player.rate = Number(speed.value)) });
  for (const rate of rates) speed.add(new Option(`${rate}×`, rate));
  setLabel(speed, "speed");
  const place = make("span", { class: "quiet place" });
  const update = () => {
    setText(button, player.playing ? "stop" : "play");
    button.disabled = speed.disabled = !player.ready;
    speed.value = player.rate;
    place.textContent = `${clock(player.time)} / ${clock(player.duration)}`;
  };
  for (const event of ["state", "time"]) player.addEventListener(event, update);
  player.element.addEventListener("ratechange", update);
  update();
  return make("div", { class: "row" }, button, place, speed);
}
