/** `LabelEditor`: one recording on the labelling page: its sound, its words, and the person's text. */

import { request, requestJson, RequestError } from "./api_client.js";
import { byId } from "./dom.js";
import { reason } from "./errors.js";
import { onLanguage, setText, text } from "./interface_texts.js";
import { askConflict, askReason } from "./label_dialogs.js";
import { Player } from "./player.js";
import { playerControls } from "./player_controls.js";
import { decode } from "./sound.js";
import { Waveform } from "./waveform.js";
import { WordView } from "./word_view.js";

const RATES = [0.5, 0.6, 0.7, 0.8, 0.9, 1];
/** Milliseconds after a key until the text is checked. */
const PATIENCE = 250;
/** Seconds that are played before and behind a word, which begins and ends softly. */
const MARGIN = 0.05;

export class LabelEditor {
  #recording = null;
  #player = new Player();
  #waveform = new Waveform(this.#player);
  #words = new WordView();
  #field = byId("text");
  #word = -1;
  #timer = 0;
  #problem = null;

  constructor() {
    byId("player").append(this.#waveform.element, playerControls(this.#player, RATES));
    byId("words").append(this.#words.element);
    this.#player.addEventListener("time", () => this.#showTime());
    this.#words.addEventListener("choose", ({ detail }) => this.#playAt(detail));
    this.#field.addEventListener("input", () => this.#typed());
    byId("take-script").addEventListener("click", () => this.takeScript());
    onLanguage(() => this.#showProblem());
  }

  /** Id of the recording; null without one. */
  get id() {
    return this.#recording?.id ?? null;
  }

  get name() {
    return this.#recording.name;
  }

  /** Revision of the label that the person sees. */
  get revision() {
    return this.#recording.revision;
  }

  /** What the person has written. */
  get text() {
    return this.#field.value;
  }

  /** Show a recording, and play it. A text that was typed and not saved comes back. */
  show(recording) {
    this.#recording = recording;
    this.#word = -1;
    byId("name").textContent = recording.name;
    this.#showLabel(recording.label);
    this.#words.show(recording.words.map(([word, start, end, confidence]) => ({ word, start, end, confidence })));
    byId("script").hidden = !recording.given;
    byId("script-text").textContent = recording.given;
    this.#field.value = this.#draft() ?? recording.label?.text ?? recording.text;
    this.#field.focus();
    this.#problem = null;
    this.#showProblem();
    this.check();
    this.#load(recording.id);
  }

  /** Show none. */
  close() {
    this.#recording = null;
    this.#player.close();
  }

  toggle() {
    this.#player.toggle();
  }

  /** Play from the beginning. */
  play() {
    this.#player.play(0);
  }

  /**
   * Play a word, and select it in the text if the text has as many words.
   * @param {number} step from the word that was played last; 0 plays it again.
   */
  playWord(step) {
    const last = this.#recording?.words.length - 1;
    if (!(last >= 0)) return;
    const index = Math.max(0, Math.min(last, Math.max(this.#word, step > 0 ? -1 : 0) + step));
    this.#select(index);
    this.#playAt(index);
  }

  /** Play slower or faster; the next recordings, too. */
  changeRate(step) {
    const at = RATES.findIndex((rate) => rate >= this.#player.rate - 1e-6);
    this.#player.rate = RATES[Math.max(0, Math.min(RATES.length - 1, at + step))];
  }

  /** Put in the recogniser's text. */
  takeHeard() {
    this.#replace(this.#recording?.text);
  }

  /** Put in the source's text, if there is one. */
  takeScript() {
    this.#replace(this.#recording?.given);
  }

  /** Ask what a label's conflict ends with, see `askConflict`. */
  async askConflict(theirs, yours) {
    const label = theirs.label;
    const shown = label === null ? null : label.unusable === null ? label.text : unusable(label);
    const answer = await askConflict(shown, yours);
    this.#field.focus();
    return answer;
  }

  /** Ask why the recording is unusable; null if the person cancels. */
  async askReason() {
    const why = await askReason(this.name);
    this.#field.focus();
    return why;
  }

  /** Drop a text that was typed and not saved. */
  forgetDraft(id) {
    sessionStorage.removeItem(draftKey(id));
  }

  /** Ask the server whether the model can be trained on the text, and show what is wrong. */
  async check() {
    clearTimeout(this.#timer);
    const { id } = this;
    const asked = this.text;
    try {
      const { problem } = await requestJson("POST", "/label/check", { id, text: asked });
      if (id !== this.id || asked !== this.text) return; // the person went on
      this.#problem = problem;
      this.#showProblem();
    } catch (error) {
      if (!(error instanceof RequestError)) throw error; // saving will tell
    }
  }

  async #load(id) {
    this.#player.close();
    this.#waveform.show(null);
    this.#waveform.mark(0, 0);
    try {
      const file = await (await request("GET", `/label/recordings/${id}/audio`)).blob();
      if (id !== this.id) return;
      this.#player.load(file);
      this.#player.play(0); // refused silently before the first key or click
      const sound = await decode(file);
      if (id === this.id) this.#waveform.show(sound);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (id !== this.id) return;
      byId("problem").textContent = text("cannot_be_heard", { reason: reason(error) });
      byId("problem").hidden = false;
    }
  }

  #playAt(index) {
    const [, start, end] = this.#recording.words[index];
    this.#word = index;
    this.#waveform.mark(start, end);
    this.#player.play(Math.max(0, start - MARGIN), end + MARGIN);
  }

  /** Mark the word that is heard; a word that was asked for also a moment after its end. */
  #showTime() {
    const { time } = this.#player;
    const [, start, end] = this.#recording?.words[this.#word] ?? [];
    const asked = start - 2 * MARGIN < time && time < end + 4 * MARGIN;
    this.#words.setTime(asked ? (start + end) / 2 : time);
  }

  /** Select a word of the text, which is then replaced by what is typed. */
  #select(index) {
    const words = [...this.text.matchAll(/\S+/g)];
    if (words.length !== this.#recording.words.length) return;
    const { index: start, 0: word } = words[index];
    this.#field.focus();
    this.#field.setSelectionRange(start, start + word.length);
  }

  #replace(content) {
    if (!content) return;
    this.#field.value = content;
    this.#field.focus();
    this.#typed();
  }

  #typed() {
    sessionStorage.setItem(draftKey(this.id), JSON.stringify([this.revision, this.text]));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.check(), PATIENCE);
  }

  /** The text that was typed for this label and not saved; null for none. */
  #draft() {
    const [revision, content] = JSON.parse(sessionStorage.getItem(draftKey(this.id))) ?? [];
    return revision === this.revision ? content : null;
  }

  #showLabel(label) {
    const element = byId("label-state");
    if (label === null) setText(element, "not_labelled");
    else if (label.unusable === null) setText(element, "labelled");
    else if (label.unusable) setText(element, "is_unusable_because", { reason: label.unusable });
    else setText(element, "is_unusable");
  }

  #showProblem() {
    const element = byId("text-problem");
    this.#field.setAttribute("aria-invalid", String(this.#problem !== null));
    element.textContent =
      this.#problem === null
        ? ""
        : text(`problem_${this.#problem.kind}`, { characters: this.#problem.characters.join(" ") });
  }
}

function draftKey(id) {
  return `asr.label.${id}`;
}

function unusable(label) {
  return label.unusable ? text("is_unusable_because", { reason: label.unusable }) : text("is_unusable");
}
