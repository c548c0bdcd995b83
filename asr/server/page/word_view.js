/**
 * `WordView`: the words of a recording as buttons, marked by confidence.
 *
 * Doubtful words have a colour and an underline: dotted from `DOUBTFUL` to `SURE`, wavy below. Tab
 * reaches one word, the arrows, Home and End the others. A click or Enter dispatches "choose", whose
 * `detail` is the word's index.
 */

import { onLanguage, setLabel, text } from "./interface_texts.js";
import { make } from "./dom.js";

/** Confidence from which a word is not marked. */
export const SURE = 0.8;
/** Confidence from which a word is marked as doubtful; below as very doubtful. */
export const DOUBTFUL = 0.5;

/** The class of a confidence: "sure", "doubtful" or "unsure". */
export function confidenceLevel(confidence) {
  return confidence >= SURE ? "sure" : confidence >= DOUBTFUL ? "doubtful" : "unsure";
}

/**
 * @typedef {Object} Word
 * @property {string} word
 * @property {number} start in seconds.
 * @property {number} end in seconds.
 * @property {number} [confidence] from 0 to 1; none for a word that was spoken by a voice.
 * @property {string[]} [phones] shown below the word.
 */

export class WordView extends EventTarget {
  #words = [];
  #buttons = [];
  #spoken = -1;

  constructor() {
    super();
    /** The element to put into the page. */
    this.element = make("div", {
      class: "words",
      role: "group",
      keydown: (event) => this.#key(event),
    });
    setLabel(this.element, "words");
    onLanguage(() => this.#describe());
  }

  /**
   * Show words.
   * @param {Word[]} words
   */
  show(words) {
    this.#words = words;
    this.#spoken = -1;
    this.#buttons = words.map(({ word, confidence = 1, phones = null }, i) =>
      make(
        "button",
        {
          type: "button",
          class: `word ${confidenceLevel(confidence)}`,
          tabindex: i ? "-1" : "0",
          click: () => this.#choose(i),
        },
        word,
        ...(phones === null ? [] : [make("span", { class: "phones" }, phones.join(" "))]),
      ),
    );
    this.#describe();
    this.element.replaceChildren(...this.#buttons.flatMap((button) => [button, " "]));
  }

  /** Mark the word that is spoken at a time, in seconds. */
  setTime(seconds) {
    const spoken = this.#words.findIndex(({ start, end }) => start <= seconds && seconds < end);
    if (spoken === this.#spoken) return;
    this.#buttons[this.#spoken]?.classList.remove("spoken");
    this.#buttons[spoken]?.classList.add("spoken");
    this.#spoken = spoken;
  }

  /** Move the focus to a word. */
  focus(index) {
    for (const button of this.#buttons) button.tabIndex = -1;
    this.#buttons[index].tabIndex = 0;
    this.#buttons[index].focus();
  }

  #choose(index) {
    this.focus(index);
    this.dispatchEvent(new CustomEvent("choose", { detail: index }));
  }

  #describe() {
    this.#buttons.forEach((button, i) => {
      const { confidence } = this.#words[i];
      if (confidence === undefined) return;
      const percent = Math.round(100 * confidence);
      button.title = text("word_title", { percent });
    });
  }

  #key(event) {
    const last = this.#buttons.length - 1;
    const now = this.#buttons.indexOf(document.activeElement);
    const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last }[event.key];
    if (now < 0 || next === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.focus(Math.max(0, Math.min(last, next)));
  }
}
