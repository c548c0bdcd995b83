/** Texts of the modules that several pages share. Import it for its effect. */

import { addTexts } from "./interface_texts.js";

addTexts({
  language: { en: "Language", ko: "언어" },
  waveform: { en: "Place in the recording", ko: "녹음 위치" },
  words: { en: "Words; Enter plays a word", ko: "단어, Enter 키로 듣기" },
  word_title: { en: "confidence {percent} %", ko: "신뢰도 {percent}%" },
  play: { en: "Play", ko: "재생" },
  stop: { en: "Stop", ko: "정지" },
  speed: { en: "Speed", ko: "속도" },
  key_title: { en: "This server needs a key", ko: "이 서버에는 키가 필요합니다" },
  key_label: { en: "API key", ko: "API 키" },
  key_hint: {
    en: "The server's owner has it. It is kept until you close this tab.",
    ko: "서버 관리자에게 받으세요. 이 탭을 닫을 때까지만 보관됩니다.",
  },
  continue: { en: "Continue", ko: "계속" },
  cancel: { en: "Cancel", ko: "취소" },
  unreachable: {
    en: "The server does not answer. Is asr still running?",
    ko: "서버가 응답하지 않습니다. asr이 실행 중인지 확인하세요.",
  },
  refused: { en: "The server answers {status}.", ko: "서버 응답: {status}." },
});
