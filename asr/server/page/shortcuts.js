/**
 * `Shortcuts`: keys that work everywhere on a page, and the dialog that lists them.
 *
 * Keys are physical ones, so that they are the same with a Korean layout, and with Option on a Mac,
 * which would type a character.
 */

import { make } from "./dom.js";
import { setText } from "./interface_texts.js";

/**
 * @typedef {Object} Shortcut
 * @property {string} code such as "KeyN"; see KeyboardEvent.code.
 * @property {boolean} alt whether Alt is held.
 * @property {string} shown the key's name for people.
 * @property {string} says key of the interface text.
 * @property {function()} run
 */

const FIELDS = "textarea, input, select";
const PRESSED = "button, summary, a, [role=slider]";

export class Shortcuts {
  #shortcuts;
  #dialog = null;

  /** @param {Shortcut[]} shortcuts */
  constructor(shortcuts) {
    this.#shortcuts = shortcuts;
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show the dialog with all keys. */
  show() {
    if (this.#dialog !== null) return;
    const rows = this.#shortcuts.map(({ shown, says }) => {
      const meaning = make("td");
      setText(meaning, says);
      return make("tr", {}, make("th", { scope: "row" }, make("kbd", {}, shown)), meaning);
    });
    const close = make("button", { type: "button", class: "primary", click: () => this.#dialog.close() });
    setText(close, "close");
    const title = make("h2", { id: "keys-title" });
    setText(title, "keys_title");
    this.#dialog = make(
      "dialog",
      { class: "keys", "aria-labelledby": "keys-title" },
      title,
      make("table", {}, make("tbody", {}, ...rows)),
      make("div", { class: "buttons" }, close),
    );
    this.#dialog.addEventListener("close", () => {
      this.#dialog.remove();
      this.#dialog = null;
    });
    document.body.append(this.#dialog);
    this.#dialog.showModal();
  }

  #key(event) {
    // A dialog has its own keys, and Enter ends the composition of a syllable before it saves.
    if (document.querySelector("dialog[open]") || event.isComposing || event.ctrlKey || event.metaKey) return;
    if (event.key === "?" && !event.altKey && !event.target.closest(FIELDS)) {
      event.preventDefault();
      this.show();
      return;
    }
    const found = this.#shortcuts.find(({ code, alt }) => code === event.code && alt === event.altKey);
    if (found === undefined) return;
    // Enter on a button presses it, and Shift+Enter means nothing here.
    if (event.code === "Enter" && !event.altKey && (event.shiftKey || event.target.closest(`${PRESSED}, select, .words`))) return;
    event.preventDefault();
    if (!event.repeat || found.repeats) found.run();
  }
}
