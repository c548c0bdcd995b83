/** The page of `asr label`. */

import "./shared_texts.js";
import "./label_texts.js";
import { RequestError, requestJson } from "./api_client.js";
import { byId, make } from "./dom.js";
import { reason } from "./errors.js";
import { language, languageSwitch, onLanguage, setText, text, translate } from "./interface_texts.js";
import { useKeyDialog } from "./key_dialog.js";
import { LabelEditor } from "./label_editor.js";
import { Shortcuts } from "./shortcuts.js";

/** Milliseconds between looks at the progress, which others make, too. */
const POLL = 2000;

const page = crypto.randomUUID?.() ?? String(Math.random()); // randomUUID needs localhost or https
const saved = []; // ids of what this page has saved
const editor = new LabelEditor();
let state = null;
let busy = false; // whether a request of the person is under way
let looking = Promise.resolve(); // the page's own look for a recording

const shortcuts = new Shortcuts([
  { code: "Enter", alt: false, shown: "Enter", says: "key_save", run: () => save(editor.text) },
  { code: "Escape", alt: false, shown: "Esc", says: "key_play", run: () => editor.toggle() },
  { code: "Enter", alt: true, shown: "Alt + Enter", says: "key_again", run: () => editor.play() },
  { code: "ArrowRight", alt: true, shown: "Alt + →", says: "key_next_word", run: () => editor.playWord(1), repeats: true },
  { code: "ArrowLeft", alt: true, shown: "Alt + ←", says: "key_previous_word", run: () => editor.playWord(-1), repeats: true },
  { code: "ArrowDown", alt: true, shown: "Alt + ↓", says: "key_word", run: () => editor.playWord(0) },
  { code: "Comma", alt: true, shown: "Alt + ,", says: "key_slower", run: () => editor.changeRate(-1) },
  { code: "Period", alt: true, shown: "Alt + .", says: "key_faster", run: () => editor.changeRate(1) },
  { code: "KeyX", alt: true, shown: "Alt + X", says: "key_unusable", run: () => markUnusable() },
  { code: "KeyN", alt: true, shown: "Alt + N", says: "key_skip", run: () => open("next") },
  { code: "KeyP", alt: true, shown: "Alt + P", says: "key_previous", run: () => open("previous") },
  { code: "KeyU", alt: true, shown: "Alt + U", says: "key_undo", run: () => undo() },
  { code: "KeyR", alt: true, shown: "Alt + R", says: "key_recognised", run: () => editor.takeHeard() },
  { code: "KeyG", alt: true, shown: "Alt + G", says: "key_script", run: () => editor.takeScript() },
  { code: "KeyW", alt: true, shown: "Alt + W", says: "key_errors", run: () => showErrors() },
  { code: "Slash", alt: true, shown: "Alt + ?", says: "key_keys", run: () => shortcuts.show() },
]);

/**
 * Run a request of the person; its error is shown, and what was typed stays. A key that is pressed
 * meanwhile does nothing: a second Enter must not accept a recording that nobody has seen.
 */
async function act(work, problem = null) {
  if (busy) return;
  busy = true;
  showProblem("");
  try {
    await looking;
    await work();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    showProblem(problem === null ? reason(error) : text(problem, { reason: reason(error) }));
  } finally {
    busy = false;
  }
}

function showProblem(message) {
  byId("problem").textContent = message;
  byId("problem").hidden = !message;
}

function say(key, values = {}) {
  setText(byId("status"), key, values);
}

/** Open the next or the previous recording. */
function open(way) {
  return act(() => openNow(way));
}

async function openNow(way, id = editor.id) {
  const asked = { page, way, id: id ?? "" };
  const { recording } = await requestJson("POST", "/label/open", asked);
  if (recording === null && way === "previous") say("no_previous");
  else show(recording);
}

function show(recording) {
  byId("recording").hidden = recording === null;
  if (recording === null) editor.close();
  else editor.show(recording);
  showRest();
}

/** Say why there is no recording to label. */
function showRest() {
  const rest = byId("rest");
  rest.hidden = !byId("recording").hidden || state === null;
  if (rest.hidden) return;
  const { recordings, heard, labelled, unusable } = state.progress;
  if (heard < recordings) setText(rest, labelled + unusable ? "waiting_for_more" : "waiting_for_text");
  else setText(rest, "all_labelled", { out: state.out });
}

function save(content, unusable = null) {
  if (editor.id === null) return null;
  return act(async () => {
    if (await saveAs(content, unusable, editor.revision)) await openNow("next");
  }, "not_saved");
}

/** Save a label; false if it was not, because someone else had changed it, or the text is wrong. */
async function saveAs(content, unusable, revision) {
  const { id, name } = editor;
  const body = { id, revision, text: content, unusable };
  let answer;
  try {
    answer = await requestJson("POST", "/label/save", body);
  } catch (error) {
    if (error.code === "stale") return settle(error.body.recording, content, unusable);
    if (!error.code?.startsWith("text_")) throw error;
    editor.check(); // shows what is wrong beside the text
    return false;
  }
  saved.push(id);
  editor.forgetDraft(id);
  say("saved", { name });
  take(answer);
  return true;
}

async function settle(theirs, content, unusable) {
  const answer = await editor.askConflict(theirs, unusable ?? content);
  if (answer === "yours") return saveAs(content, unusable, theirs.revision);
  if (answer === "theirs") {
    editor.forgetDraft(theirs.id);
    editor.show(theirs);
  }
  return false;
}

async function markUnusable() {
  if (editor.id === null || busy) return;
  const why = await editor.askReason();
  if (why !== null) await save(editor.text, why);
}

/** Take back the last label of this page; of an earlier one, if this one has saved none. */
function undo() {
  return act(async () => {
    const { labelled } = await requestJson("GET", "/label/labelled");
    const revisions = new Map(labelled.map(({ id, revision }) => [id, revision]));
    while (saved.length && !revisions.has(saved.at(-1))) saved.pop(); // taken back by another page
    const id = saved.pop() ?? labelled.at(-1)?.id;
    if (id === undefined) {
      say("nothing_to_undo");
      return;
    }
    let answer;
    try {
      answer = await requestJson("POST", "/label/undo", { id, revision: revisions.get(id) });
    } catch (error) {
      if (error.code !== "stale") throw error;
      await openNow("this", id); // changed in this moment: show it
      throw error;
    }
    take(answer);
    await openNow("this", id);
    say("undone", { name: editor.name });
  });
}

/** Take the progress that comes with an answer. */
function take({ progress, milestone }) {
  state = { ...state, progress };
  if (milestone !== null) showMilestone(milestone);
  showState();
}

function showErrors() {
  return act(async () => {
    const { errors } = await requestJson("GET", "/label/errors");
    if (errors === null) say("no_milestone");
    else showMilestone(errors);
  });
}

function showMilestone({ labels, wer, interval: [low, high] }) {
  const percent = (rate) => (100 * rate).toFixed(1);
  const values = { labels, wer: percent(wer), low: percent(low), high: percent(high) };
  setText(byId("milestone"), "milestone", values);
  byId("milestone").hidden = false;
}

function showState() {
  const { model, progress, failures } = state;
  const minutes = (seconds) => (seconds / 60).toLocaleString(language(), { maximumFractionDigits: 1 });
  byId("model").textContent = model;
  byId("minutes").max = Math.max(progress.done + progress.left, 1);
  byId("minutes").value = progress.done;
  const counts = text("counts", {
    done: minutes(progress.done),
    left: minutes(progress.left),
    labelled: progress.labelled,
    unusable: progress.unusable,
  });
  const { heard, recordings: all } = progress;
  byId("counts").textContent = heard < all ? text("counts_heard", { counts, heard, all }) : counts;
  byId("failures").hidden = !failures.length;
  if (byId("failure-list").childElementCount !== failures.length) {
    byId("failure-list").replaceChildren(...failures.map(({ error }) => make("li", {}, error)));
  }
  setText(byId("failure-count"), "failures", { count: failures.length });
  showRest();
}

/** Look at the progress for ever; open a recording as soon as there is one. */
async function watch() {
  for (;;) {
    try {
      state = await requestJson("GET", "/label/state");
      showState();
      if (editor.id === null && !busy) await (looking = openNow("next"));
    } catch (error) {
      looking = Promise.resolve();
      if (!(error instanceof RequestError)) throw error;
      showProblem(reason(error));
    }
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

languageSwitch(byId("language"));
translate();
useKeyDialog();
onLanguage(() => state !== null && showState());
byId("show-keys").addEventListener("click", () => shortcuts.show());
byId("save").addEventListener("click", () => save(editor.text));
byId("unusable").addEventListener("click", () => markUnusable());
byId("skip").addEventListener("click", () => open("next"));
byId("previous").addEventListener("click", () => open("previous"));
byId("undo").addEventListener("click", () => undo());
watch();
