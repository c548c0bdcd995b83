/** The tab that speaks a text, with its words and their phones. */

import { requestJson } from "./api_client.js";
import { byId, make } from "./dom.js";
import { reason } from "./errors.js";
import { setText } from "./interface_texts.js";
import { Player } from "./player.js";
import { playerControls } from "./player_controls.js";
import { wavFile } from "./sound.js";
import { Waveform } from "./waveform.js";
import { WordView } from "./word_view.js";

/** Make the tab work. */
export function useSpeaking() {
  const player = new Player();
  const waveform = new Waveform(player);
  const view = new WordView();
  const warnings = make("div");
  byId("spoken").append(waveform.element, playerControls(player), view.element, warnings);
  const [speed, status, problem] = [byId("speed"), byId("speak-status"), byId("speak-problem")];
  speed.addEventListener("input", () => {
    byId("speed-value").textContent = `${Number(speed.value).toFixed(1)}×`;
  });

  let words = [];
  view.addEventListener("choose", ({ detail }) => {
    const { start, end } = words[detail];
    waveform.mark(start, end);
    player.play(start, end);
  });
  const follow = () => view.setTime(player.playing ? player.time : -1);
  player.addEventListener("time", follow);
  player.addEventListener("state", follow);

  const show = (speech) => {
    const pcm = fromBase64(speech.samples);
    const samples = Float32Array.from(pcm, (x) => x / 32768);
    const rate = speech.sample_rate;
    words = speech.words;
    byId("spoken").hidden = false;
    player.load(wavFile([pcm], rate));
    waveform.show({ samples, sampleRate: rate, duration: samples.length / rate });
    view.show(words);
    warnings.replaceChildren(
      ...speech.warnings.map((warning) => make("p", { class: "hint" }, warning)),
    );
    player.play();
  };

  let cancel = new AbortController();
  byId("speak-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    cancel.abort();
    cancel = new AbortController();
    problem.hidden = true;
    setText(status, "speaking");
    const asked = { input: byId("text").value, speed: Number(speed.value) };
    try {
      show(await requestJson("POST", "/page/speech", asked, cancel.signal));
      setText(status, "spoken");
    } catch (error) {
      if (error.name === "AbortError") return;
      status.textContent = "";
      problem.textContent = reason(error);
      problem.hidden = false;
    }
  });
}

/** 16-bit samples that were sent in Base64. */
function fromBase64(text) {
  return new Int16Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}
