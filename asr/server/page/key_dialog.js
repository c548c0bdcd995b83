/** The dialog that asks for the server's key. */

import { make, named } from "./dom.js";
import { setLabel } from "./interface_texts.js";
import { onKeyNeeded } from "./api_client.js";

/** Ask the user for a key whenever the server needs one. */
export function useKeyDialog() {
  onKeyNeeded(askForKey);
}

function askForKey() {
  const input = make("input", {
    type: "password",
    id: "api-key",
    required: true,
    pattern: "[ -~]+", // what a header can hold
    autocomplete: "off",
    spellcheck: "false",
  });
  const dialog = make("dialog", { class: "key" });
  const form = make(
    "form",
    { method: "dialog" },
    named("h2", {}, "key_title"),
    named("label", { for: "api-key" }, "key_label"),
    input,
    named("p", { class: "hint" }, "key_hint"),
    make(
      "div",
      { class: "buttons" },
      named("button", { type: "submit", value: "continue", class: "primary" }, "continue"),
      named("button", { type: "button", click: () => dialog.close("") }, "cancel"),
    ),
  );
  setLabel(dialog, "key_title");
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "continue" ? input.value.trim() : null);
    });
  });
}
