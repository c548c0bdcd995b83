/** Hands the microphone's samples on as 16-bit numbers, a tenth of a second at once. */

class Samples extends AudioWorkletProcessor {
  #piece = new Int16Array(Math.round(sampleRate / 10));
  #filled = 0;

  process([[channel]]) {
    for (const x of channel ?? []) {
      this.#piece[this.#filled++] = Math.max(-32768, Math.min(32767, Math.round(32768 * x)));
      if (this.#filled === this.#piece.length) {
        this.port.postMessage(this.#piece.buffer, [this.#piece.buffer]);
        this.#piece = new Int16Array(Math.round(sampleRate / 10));
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("samples", Samples);
