/** Tabs: one panel is shown; the arrows, Home and End move between the tabs. */

import { byId } from "./dom.js";

/**
 * Make tabs work.
 * @param {...HTMLElement} tabs elements with the role tab, whose `aria-controls` names a panel.
 */
export function useTabs(...tabs) {
  const select = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
  };
  for (const tab of tabs) {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => {
      const shown = tabs.filter(({ hidden }) => !hidden);
      const at = shown.indexOf(tab);
      const move = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
      if (move === undefined) return;
      event.preventDefault();
      const next = shown.at(move % shown.length);
      select(next);
      next.focus();
    });
  }
  select(tabs[0]);
}
