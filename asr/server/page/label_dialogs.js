/** The questions of the labelling page. Each function resolves when the person has answered. */

import { make } from "./dom.js";
import { setText, text } from "./interface_texts.js";

const REASONS = ["reason_noise", "reason_cut", "reason_silence", "reason_several", "reason_language"];

/**
 * Ask why a recording is unusable.
 * @param {string} name of the recording.
 * @returns {Promise<?string>} the reason, which may be empty; null if the person cancels.
 */
export function askReason(name) {
  const reasons = REASONS.map((key) => make("option", { value: text(key) }));
  const input = make("input", { id: "reason", list: "reasons", maxlength: "1000", autocomplete: "off" });
  const { dialog, form } = question("unusable_title", { name });
  form.append(
    named("label", { for: "reason" }, "reason"),
    input,
    make("datalist", { id: "reasons" }, ...reasons),
    make(
      "div",
      { class: "buttons" },
      named("button", { type: "submit", value: "mark", class: "primary" }, "mark"),
      named("button", { type: "button", click: () => dialog.close("") }, "cancel"),
    ),
  );
  return answer(dialog).then((value) => (value === "mark" ? input.value.trim() : null));
}

/**
 * Ask which of two labels stays.
 * @param {?string} theirs what is saved; null for no label.
 * @param {string} yours what the person wanted to save.
 * @returns {Promise<string>} "theirs" or "yours"; "" if the person wants to go on writing.
 */
export function askConflict(theirs, yours) {
  const { dialog, form } = question("conflict_title");
  const shown = (key, content) => [named("dt", {}, key), make("dd", {}, content)];
  form.append(
    make(
      "dl",
      {},
      ...shown("conflict_theirs", theirs ?? text("conflict_none")),
      ...shown("conflict_yours", yours),
    ),
    make(
      "div",
      { class: "buttons" },
      named("button", { type: "submit", value: "theirs", class: "primary" }, "keep_theirs"),
      named("button", { type: "submit", value: "yours" }, "save_yours"),
      named("button", { type: "button", click: () => dialog.close("") }, "cancel"),
    ),
  );
  return answer(dialog);
}

function question(key, values = {}) {
  const title = make("h2", { id: "question" });
  setText(title, key, values);
  const form = make("form", { method: "dialog" }, title);
  return { dialog: make("dialog", { "aria-labelledby": "question" }, form), form };
}

function named(tag, attributes, key) {
  const element = make(tag, attributes);
  setText(element, key);
  return element;
}

function answer(dialog) {
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}
