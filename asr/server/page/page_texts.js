/** Texts of the page of `asr serve`. Import it for its effect. */

import { addTexts } from "./interface_texts.js";

addTexts({
  tabs: { en: "What to do", ko: "할 일" },
  transcribe: { en: "Transcribe", ko: "받아쓰기" },
  speak: { en: "Speak", ko: "읽어주기" },
  drop: { en: "Drop recordings here", ko: "녹음 파일을 여기에 놓으세요" },
  choose: { en: "Choose files", ko: "파일 선택" },
  record: { en: "Record", ko: "녹음" },
  stop_recording: { en: "Stop recording", ko: "녹음 끝내기" },
  recording_name: { en: "Recording", ko: "녹음" },
  level: { en: "Loudness", ko: "소리 크기" },
  live_text: { en: "Text so far", ko: "지금까지의 글" },
  listening: { en: "Listening …", ko: "듣는 중…" },
  hot_words: { en: "Words to favour", ko: "우선할 단어" },
  hot_words_example: { en: "Kubernetes, New York", ko: "Kubernetes, New York" },
  hot_words_hint: {
    en: "Names and terms that may occur, separated by commas. They apply to the next recording.",
    ko: "나올 수 있는 이름과 용어를 쉼표로 구분해 적으세요. 다음 녹음부터 적용됩니다.",
  },
  waiting: { en: "Waiting", ko: "대기 중" },
  transcribing: { en: "Transcribing …", ko: "받아쓰는 중…" },
  done: { en: "{name}: done", ko: "{name}: 완료" },
  failed: { en: "{name}: failed", ko: "{name}: 실패" },
  no_words: { en: "No words were found.", ko: "단어를 찾지 못했습니다." },
  no_waveform: {
    en: "The browser cannot show this recording; its text is complete.",
    ko: "브라우저가 이 녹음을 표시할 수 없지만, 글은 완전합니다.",
  },
  copy: { en: "Copy text", ko: "글 복사" },
  copied: { en: "Copied", ko: "복사했습니다" },
  not_copied: { en: "The browser does not allow it", ko: "브라우저가 허용하지 않습니다" },
  click_a_word: { en: "Click a word to hear it.", ko: "단어를 누르면 들립니다." },
  remove: { en: "Remove {name}", ko: "{name} 지우기" },
  retry: { en: "Try again", ko: "다시 시도" },
  downloads: { en: "Download", ko: "내려받기" },
  download_audio: { en: "Audio", ko: "소리" },
  legend: {
    en: "Dotted words are less sure, wavy ones unsure.",
    ko: "점선은 덜 확실한 단어, 물결선은 불확실한 단어입니다.",
  },
  word_details: {
    en: "{word}: {start} to {end} s, {percent} % sure",
    ko: "{word}: {start}~{end}초, 신뢰도 {percent}%",
  },
  spellings: { en: "By sound alone also: {others}", ko: "소리만으로는 이것도 가능: {others}" },
  no_microphone: {
    en: "The browser offers a microphone only to pages on localhost or with https.",
    ko: "브라우저는 localhost 또는 https 페이지에만 마이크를 허용합니다.",
  },
  microphone_refused: {
    en: "The microphone is not allowed. Allow it in the browser's address bar.",
    ko: "마이크가 허용되지 않았습니다. 브라우저 주소창에서 허용하세요.",
  },
  microphone_missing: { en: "There is no microphone.", ko: "마이크가 없습니다." },
  live_ended: {
    en: "Live text ended: {reason}. The recording goes on.",
    ko: "실시간 글이 끝났습니다: {reason}. 녹음은 계속됩니다.",
  },
  text: { en: "Text", ko: "글" },
  text_example: { en: "Good morning. How are you?", ko: "Good morning. How are you?" },
  speak_it: { en: "Speak", ko: "읽기" },
  speaking: { en: "Speaking …", ko: "읽는 중…" },
  spoken: { en: "Ready", ko: "준비됨" },
  privacy: {
    en: "Everything stays between this browser and this server. The server keeps nothing.",
    ko: "모든 것은 이 브라우저와 이 서버 사이에만 있습니다. 서버는 아무것도 보관하지 않습니다.",
  },
});
