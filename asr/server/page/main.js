/** The page of `asr serve`. */

import "./shared_texts.js";
import "./page_texts.js";
import { requestJson } from "./api_client.js";
import { byId } from "./dom.js";
import { reason } from "./errors.js";
import { languageSwitch, translate } from "./interface_texts.js";
import { useKeyDialog } from "./key_dialog.js";
import { useTabs } from "./tabs.js";
import { useSpeaking } from "./speak_tab.js";
import { useTranscribing } from "./transcribe_tab.js";

languageSwitch(byId("language"));
translate();
useKeyDialog();
useTabs(byId("transcribe-tab"), byId("speak-tab"));
useTranscribing();
useSpeaking();

try {
  const { model, voice } = await requestJson("GET", "/page/about");
  byId("model").textContent = model;
  byId("speak-tab").hidden = voice === null;
} catch (error) {
  byId("record-problem").textContent = reason(error);
  byId("record-problem").hidden = false;
}
