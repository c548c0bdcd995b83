/** Making elements. */

import { setText } from "./interface_texts.js";

/**
 * Make an element.
 * @param {string} tag its name.
 * @param {Object} attributes attributes; a value of null or false leaves one out, a function is
 *     added as a listener (its key is then the event, such as "click").
 * @param {...(Node|string)} children its content.
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/**
 * Make an element with an interface text; see `make`.
 * @param {string} key of the text.
 * @returns {HTMLElement}
 */
export function named(tag, attributes, key) {
  const element = make(tag, attributes);
  setText(element, key);
  return element;
}

/**
 * The element with an id; every id is in the page's HTML.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`no element with the id ${id}`);
  return element;
}
