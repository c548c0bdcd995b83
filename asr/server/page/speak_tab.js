/** The tab that speaks a text, with its phones. */

import { request, requestJson } from "./api_client.js";
import { byId, make, named } from "./dom.js";
import { reason } from "./errors.js";
import { setText } from "./interface_texts.js";
import { Player } from "./player.js";
import { playerControls } from "./player_controls.js";
import { wavFile } from "./sound.js";
import { Waveform } from "./waveform.js";

const RATE = 24000; // Hz, of the format pcm

/** Make the tab work. */
export function useSpeaking() {
  const player = new Player();
  const waveform = new Waveform(player);
  const phones = make("div", { class: "phones" });
  const title = named("h2", {}, "phones");
  byId("spoken").append(waveform.element, playerControls(player), title, phones);
  const [speed, status, problem] = [byId("speed"), byId("speak-status"), byId("speak-problem")];
  speed.addEventListener("input", () => {
    byId("speed-value").textContent = `${Number(speed.value).toFixed(1)}×`;
  });

  let cancel = new AbortController();
  byId("speak-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const input = byId("text").value;
    cancel.abort();
    cancel = new AbortController();
    const { signal } = cancel;
    problem.hidden = true;
    setText(status, "speaking");
    try {
      const { sentences } = await requestJson("POST", "/page/phones", { input }, signal);
      phones.replaceChildren(...sentences.map(showSentence));
      const asked = { input, speed: Number(speed.value), response_format: "pcm" };
      const response = await request("POST", "/v1/audio/speech", asked, signal);
      const pcm = new Int16Array(await response.arrayBuffer());
      byId("spoken").hidden = false;
      const samples = Float32Array.from(pcm, (x) => x / 32768);
      player.load(wavFile([pcm], RATE));
      waveform.show({ samples, sampleRate: RATE, duration: samples.length / RATE });
      setText(status, "spoken");
      player.play();
    } catch (error) {
      if (error.name === "AbortError") return;
      status.textContent = "";
      problem.textContent = reason(error);
      problem.hidden = false;
    }
  });
}

function showSentence({ words, warnings }) {
  const shown = words.map(({ word, phones }) =>
    make("span", { class: "spoken-word" }, word, make("span", { class: "phone" }, phones.join(" "))),
  );
  const notes = warnings.map((warning) => make("p", { class: "hint" }, warning));
  return make("div", {}, make("p", {}, ...shown.flatMap((word) => [word, " "])), ...notes);
}
