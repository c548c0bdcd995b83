/** The tab that transcribes: files that are dropped or chosen, and the microphone. */

import { byId } from "./dom.js";
import { onLanguage, setText, text } from "./interface_texts.js";
import { LiveRecording } from "./live_recording.js";
import { RecordingCard } from "./recording_card.js";
import { clock } from "./waveform.js";

/** Files that are sent at once; the others wait. */
const AT_ONCE = 2;

/** Recordings that were made here, and would be lost with the page. */
const unsaved = new Set();
let waiting = [];
let running = 0;

/** Make the tab work. */
export function useTranscribing() {
  const [drop, files] = [byId("drop"), byId("files")];
  byId("choose").addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    addFiles(files.files);
    files.value = "";
  });
  // The whole window takes files, so that one that misses the field does not replace the page.
  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  window.addEventListener("dragleave", () => drop.classList.remove("over"));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    addFiles(event.dataTransfer.files);
  });
  useMicrophone(byId("record"));
  window.addEventListener("beforeunload", (event) => {
    if (unsaved.size) event.preventDefault(); // the browser asks
  });
}

function addFiles(files) {
  for (const file of files) addCard(new RecordingCard(file));
}

function addCard(card) {
  byId("recordings").prepend(card.element);
  card.addEventListener("remove", () => {
    waiting = waiting.filter((other) => other !== card);
    unsaved.delete(card);
    byId("choose").focus();
  });
  card.addEventListener("retry", () => enqueue(card));
  card.addEventListener("state", ({ detail }) => setText(byId("status"), detail, { name: card.name }));
  if (card.recorded) unsaved.add(card);
  enqueue(card);
}

function enqueue(card) {
  waiting.push(card);
  work();
}

async function work() {
  if (running >= AT_ONCE || !waiting.length) return;
  running++;
  await waiting.shift().transcribe(byId("hot-words").value);
  running--;
  work();
}

function useMicrophone(button) {
  let recording = null;
  const show = () => {
    setText(button, recording === null ? "record" : "stop_recording");
    byId("live").hidden = recording === null;
  };
  const problem = (message) => {
    byId("record-problem").textContent = message;
    byId("record-problem").hidden = !message;
  };

  const start = async () => {
    problem("");
    recording = new LiveRecording(byId("hot-words").value);
    unsaved.add(recording);
    recording.addEventListener("text", ({ detail }) => {
      byId("live-text").textContent = detail || text("listening");
    });
    recording.addEventListener("level", ({ detail }) => {
      byId("level").value = detail;
      byId("live-time").textContent = clock(recording.duration);
    });
    recording.addEventListener("problem", ({ detail }) => problem(detail));
    byId("live-text").textContent = text("listening");
    show();
    try {
      await recording.start();
    } catch (error) {
      unsaved.delete(recording);
      recording = null;
      show();
      problem(error.message);
    }
  };

  const stop = async () => {
    const ended = recording;
    button.disabled = true;
    const file = await ended.stop(text("recording_name"));
    button.disabled = false;
    unsaved.delete(ended);
    recording = null;
    show();
    if (file !== null) addCard(new RecordingCard(file, true));
  };

  button.addEventListener("click", () => (recording === null ? start() : stop()));
  onLanguage(show);
  show();
}
