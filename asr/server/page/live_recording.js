/** `LiveRecording`: the microphone, recorded and transcribed while one speaks. */

import { openSocket } from "./api_client.js";
import { text } from "./interface_texts.js";
import { wavFile } from "./sound.js";

/** Sound as it is: what makes calls pleasant changes the sound that the recogniser has learnt. */
const PLAIN = {
  channelCount: 1,
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
};
/** Seconds of audio between two texts. */
const CHUNK = 0.2;
/** Milliseconds that the last words may take after the end. */
const PATIENCE = 10000;

/**
 * Events: "text" with the text so far, "level" with the loudness of the last tenth of a second from
 * 0 to 1, "problem" with a message.
 */
export class LiveRecording extends EventTarget {
  #hotWords;
  #pieces = [];
  #samples = 0;
  #context = null;
  #stream = null;
  #socket = null;
  #final = [];
  #ended = false;

  /** @param {string} hotWords words to favour, separated by commas. */
  constructor(hotWords) {
    super();
    this.#hotWords = hotWords;
  }

  /** Seconds recorded so far. */
  get duration() {
    return this.#context === null ? 0 : this.#samples / this.#context.sampleRate;
  }

  /**
   * Start.
   * @throws {Error} there is no microphone; the message says why.
   */
  async start() {
    const devices = navigator.mediaDevices;
    if (devices === undefined) throw new Error(text("no_microphone"));
    this.#context = new AudioContext();
    // The connection and the worklet's file do not wait for the microphone.
    const ready = this.#context.audioWorklet.addModule("/static/samples_worklet.js");
    this.#connect();
    try {
      this.#stream = await devices.getUserMedia({ audio: PLAIN });
    } catch (error) {
      this.#close();
      const missing = error.name === "NotFoundError";
      throw new Error(text(missing ? "microphone_missing" : "microphone_refused"));
    }
    await ready;
    if (this.#ended) return this.#release(); // stopped while the user was asked
    const samples = new AudioWorkletNode(this.#context, "samples", { numberOfOutputs: 0 });
    samples.port.onmessage = ({ data }) => this.#take(data);
    this.#context.createMediaStreamSource(this.#stream).connect(samples);
    await this.#context.resume();
  }

  /**
   * Stop.
   * @param {string} name beginning of the file's name.
   * @returns {Promise<?File>} the recording; null if there is none.
   */
  async stop(name) {
    const rate = this.#context.sampleRate;
    this.#ended = true;
    this.#release();
    await this.#finish();
    this.#close();
    if (!this.#samples) return null;
    const now = new Date();
    const local = new Date(now - 60000 * now.getTimezoneOffset()).toISOString();
    const time = local.slice(0, 19).replace("T", " ").replaceAll(":", "-");
    return new File([wavFile(this.#pieces, rate)], `${name} ${time}.wav`, { type: "audio/wav" });
  }

  #release() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
  }

  #connect() {
    const socket = (this.#socket = openSocket());
    socket.addEventListener("open", () => {
      const phrases = this.#hotWords.split(",").map((phrase) => phrase.trim());
      const config = { sample_rate: this.#context.sampleRate, words: false, chunk: CHUNK };
      if (this.#hotWords.trim()) config.phrase_list = phrases.filter(Boolean);
      socket.send(JSON.stringify({ config }));
      for (const piece of this.#pieces) socket.send(piece);
    });
    socket.addEventListener("message", ({ data }) => {
      const { partial = "", text: ended } = JSON.parse(data);
      if (ended) this.#final.push(ended);
      this.#tell("text", [...this.#final, partial].filter(Boolean).join(" "));
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (this.#socket === socket && code !== 1000) {
        this.#tell("problem", text("live_ended", { reason: reason || code }));
      }
    });
  }

  #take(buffer) {
    if (this.#ended) return; // on its way when the recording was stopped
    const piece = new Int16Array(buffer);
    this.#pieces.push(piece);
    this.#samples += piece.length;
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(piece);
    const power = piece.reduce((sum, x) => sum + x * x, 0) / piece.length;
    const decibels = 10 * Math.log10(power / 32768 ** 2 + 1e-10);
    this.#tell("level", Math.max(0, Math.min(1, 1 + decibels / 60)));
  }

  /** Wait for the last words. */
  #finish() {
    const socket = this.#socket;
    return new Promise((resolve) => {
      if (socket.readyState !== WebSocket.OPEN) return resolve();
      socket.addEventListener("close", resolve);
      setTimeout(resolve, PATIENCE);
      socket.send('{"eof": 1}');
    });
  }

  #close() {
    const socket = this.#socket;
    this.#ended = true;
    this.#socket = null;
    socket.close();
    this.#context.close();
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
