/**
 * Interface texts in English and Korean.
 *
 * A page adds its texts by `addTexts`, and names them in its HTML (`data-text="key"`, and
 * `data-label`, `data-placeholder` for these attributes) or by `setText` and `setLabel`. All named
 * elements change with the language, which is the browser's until the user chooses another.
 */

export const LANGUAGES = { en: "English", ko: "한국어" };
const STORED = "asr.language";
const ATTRIBUTES = { label: "aria-label", placeholder: "placeholder" };

const texts = {};
const given = new WeakMap(); // element → values of its text
const listeners = new Set();
let current = firstLanguage();

function firstLanguage() {
  const wanted = [localStorage.getItem(STORED), ...navigator.languages];
  return wanted.map((code) => code?.split("-")[0]).find((code) => code in LANGUAGES) ?? "en";
}

/**
 * Add texts.
 * @param {Object<string, {en: string, ko: string}>} more text of each language by key; {name} in it
 *     stands for a value.
 */
export function addTexts(more) {
  Object.assign(texts, more);
}

/**
 * A text in the current language.
 * @param {string} key
 * @param {Object} values what replaces {name} in the text.
 * @returns {string}
 */
export function text(key, values = {}) {
  const found = texts[key];
  if (found === undefined) throw new Error(`no interface text with the key ${key}`);
  return found[current].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** The current language: "en" or "ko". */
export function language() {
  return current;
}

/** Change the language, and every element that is named in the document. */
export function setLanguage(code) {
  current = code;
  localStorage.setItem(STORED, code);
  translate();
  for (const listener of listeners) listener();
}

/** Call a function after each change of the language, for what cannot be named in elements. */
export function onLanguage(listener) {
  listeners.add(listener);
}

/** Show a text in an element, and its translation when the language changes. */
export function setText(element, key, values = {}) {
  element.dataset.text = key;
  given.set(element, values);
  element.textContent = text(key, values);
}

/** Give an element an accessible name, and its translation when the language changes. */
export function setLabel(element, key, values = {}) {
  element.dataset.label = key;
  given.set(element, values);
  element.setAttribute("aria-label", text(key, values));
}

/** Show all texts that are named below an element; a page calls it once, after `addTexts`. */
export function translate(root = document) {
  document.documentElement.lang = current;
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text, given.get(element));
  }
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    for (const element of root.querySelectorAll(`[data-${name}]`)) {
      element.setAttribute(attribute, text(element.dataset[name], given.get(element)));
    }
  }
}

/** Fill a select element with the languages. */
export function languageSwitch(select) {
  for (const [code, name] of Object.entries(LANGUAGES)) select.add(new Option(name, code));
  select.value = current;
  select.addEventListener("change", () => setLanguage(select.value));
}
