/** `RecordingCard`: a recording in the list, from its file to its words. */

import { requestLines } from "./api_client.js";
import { make, named } from "./dom.js";
import { reason } from "./errors.js";
import { setLabel, setText } from "./interface_texts.js";
import { Player } from "./player.js";
import { playerControls } from "./player_controls.js";
import { decode, toInt16, wavFile } from "./sound.js";
import { Waveform, clock } from "./waveform.js";
import { WordView, confidenceLevel } from "./word_view.js";

/**
 * Events: "remove" when the user removes it, "retry" when a failed one is tried again, "state" with
 * "done" or "failed" as detail.
 */
export class RecordingCard extends EventTarget {
  #file;
  #player = new Player();
  #waveform = new Waveform(this.#player);
  #words = new WordView();
  #cancel = new AbortController();
  #state = make("p", { class: "state" });
  #heard = make("p", { class: "quiet" });
  #reason = make("p");
  #problem = make("div", { class: "problem", hidden: true }, this.#reason);
  #details = make("p", { class: "details", "aria-live": "polite" });
  #spellings = make("p", { class: "details", "aria-live": "polite", hidden: true });
  #result = make("div", { hidden: true });
  #length = make("span", { class: "quiet" });

  /**
   * @param {File} file
   * @param {boolean} recorded whether the file was made here, so that it can be downloaded.
   */
  constructor(file, recorded = false) {
    super();
    this.#file = file;
    this.recorded = recorded;
    const remove = make("button", { type: "button", class: "icon", click: () => this.#remove() }, "×");
    setLabel(remove, "remove", { name: file.name });
    this.element = make(
      "article",
      { class: "card", "aria-label": file.name },
      make("header", {}, make("h2", {}, file.name), this.#length, remove),
      this.#state,
      this.#heard,
      this.#problem,
      this.#result,
    );
    this.#wait();
    const retry = named("button", { type: "button", click: () => this.#retry() }, "retry");
    this.#problem.append(retry);
    this.#words.addEventListener("choose", ({ detail }) => this.#choose(detail));
    const follow = () => this.#words.setTime(this.#player.playing ? this.#player.time : -1);
    this.#player.addEventListener("time", follow);
    this.#player.addEventListener("state", follow);
  }

  get name() {
    return this.#file.name;
  }

  /**
   * Send the recording, and show its words.
   * @param {string} hotWords words to favour, separated by commas.
   */
  async transcribe(hotWords) {
    setText(this.#state, "transcribing");
    const form = new FormData();
    form.append("file", this.#file);
    form.append("prompt", hotWords);
    const sound = decode(this.#file);
    try {
      const { signal } = this.#cancel;
      this.transcript = await requestLines("/page/transcripts", form, signal, ({ heard }) => {
        this.#heard.textContent = `… ${heard}`;
      });
      this.#state.hidden = this.#heard.hidden = true;
      this.#show(this.transcript, await sound);
      this.#report("done");
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#fail(error);
    }
  }

  #show(transcript, sound) {
    this.#length.textContent = clock(transcript.duration);
    this.#player.load(sound === null ? this.#file : wavFile([toInt16(sound.samples)], sound.sampleRate));
    this.#waveform.show(sound);
    this.#words.show(transcript.words);
    setText(this.#details, transcript.words.length ? "click_a_word" : "no_words");
    const doubts = transcript.words.some(({ confidence }) => confidenceLevel(confidence) !== "sure");
    const notes = transcript.warnings.map((warning) => make("p", { class: "hint" }, warning));
    if (doubts) notes.unshift(named("p", { class: "hint" }, "legend"));
    if (sound === null) notes.push(named("p", { class: "hint" }, "no_waveform"));
    this.#result.replaceChildren(
      this.#waveform.element,
      playerControls(this.#player),
      this.#words.element,
      this.#details,
      this.#spellings,
      ...notes,
      this.#downloads(transcript.files),
    );
    this.#result.hidden = false;
  }

  #choose(index) {
    const word = this.transcript.words[index];
    this.#waveform.mark(word.start, word.end);
    this.#player.play(word.start, word.end);
    const percent = Math.round(100 * word.confidence);
    const [start, end] = [word.start.toFixed(2), word.end.toFixed(2)];
    setText(this.#details, "word_details", { word: word.word, start, end, percent });
    const others = word.spellings.map(
      (spelling) => `${spelling.text} ${Math.round(100 * spelling.probability)} %`,
    );
    setText(this.#spellings, "spellings", { others: others.join(", ") });
    this.#spellings.hidden = !others.length;
  }

  #downloads(files) {
    const stem = this.name.replace(/\.[^.]*$/, "");
    const links = Object.entries(files).map(([format, content]) => {
      const blob = new Blob([content], { type: "application/octet-stream" });
      return downloadLink(blob, `${stem}.${format}`, format);
    });
    if (this.recorded) {
      const link = downloadLink(this.#file, this.name, "");
      setText(link, "download_audio");
      links.push(link);
    }
    const copy = named("button", { type: "button", click: () => this.#copy(copy) }, "copy");
    copy.addEventListener("blur", () => setText(copy, "copy"));
    return make("div", { class: "downloads" }, named("span", { class: "quiet" }, "downloads"), ...links, copy);
  }

  async #copy(button) {
    try {
      await navigator.clipboard.writeText(this.transcript.text);
      setText(button, "copied");
    } catch {
      setText(button, "not_copied");
    }
  }

  #fail(error) {
    this.#state.hidden = this.#heard.hidden = true;
    this.#reason.textContent = reason(error);
    this.#problem.hidden = false;
    this.#report("failed");
  }

  #wait() {
    setText(this.#state, "waiting");
    this.#heard.textContent = "";
    this.#state.hidden = this.#heard.hidden = false;
    this.#problem.hidden = true;
  }

  #retry() {
    this.#wait();
    this.dispatchEvent(new Event("retry"));
  }

  #remove() {
    this.#cancel.abort();
    this.#player.close();
    for (const link of this.element.querySelectorAll("a[download]")) URL.revokeObjectURL(link.href);
    this.element.remove();
    this.dispatchEvent(new Event("remove"));
  }

  #report(state) {
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}

function downloadLink(blob, name, label) {
  return make("a", { href: URL.createObjectURL(blob), download: name }, label);
}
