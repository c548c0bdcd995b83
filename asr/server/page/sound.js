/** Decoding recordings in the browser, and making WAV files. */

/** Hz; enough for speech, and half the memory of 48 kHz. */
const RATE = 24000;
/** Seconds; the samples of a longer recording would take too much memory. */
export const LONGEST = 1800;
/** Bytes of a file whose duration is unknown that are decoded at most. */
const LARGEST = 50e6;

/**
 * @typedef {Object} Sound
 * @property {Float32Array} samples mono, in −1…1.
 * @property {number} sampleRate in Hz.
 * @property {number} duration in seconds.
 */

/**
 * Decode a recording.
 * @param {Blob} file in any format that the browser knows.
 * @returns {Promise<?Sound>} null if it is longer than `LONGEST`, or in a format that the browser
 *     does not know.
 */
export async function decode(file) {
  const duration = await durationOf(file);
  if (Number.isFinite(duration) ? duration > LONGEST : file.size > LARGEST) return null;
  let buffer;
  try {
    buffer = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
  } catch {
    return null;
  }
  const samples = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const values = buffer.getChannelData(channel);
    for (let i = 0; i < samples.length; i++) samples[i] += values[i] / buffer.numberOfChannels;
  }
  return { samples, sampleRate: buffer.sampleRate, duration: buffer.duration };
}

/**
 * A WAV file. Players find each of its samples at once, unlike those of a compressed file.
 * @param {Int16Array[]} pieces mono samples.
 * @param {number} sampleRate in Hz.
 * @returns {Blob}
 */
export function wavFile(pieces, sampleRate) {
  const bytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const header = new DataView(new ArrayBuffer(44));
  const put = (at, name) => [...name].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
  put(0, "RIFF");
  header.setUint32(4, 36 + bytes, true);
  put(8, "WAVEfmt ");
  header.setUint32(16, 16, true); // bytes of the format
  header.setUint16(20, 1, true); // whole numbers
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, sampleRate, true);
  header.setUint32(28, 2 * sampleRate, true); // bytes per second
  header.setUint16(32, 2, true); // bytes of a sample of all channels
  header.setUint16(34, 16, true); // bits of a sample
  put(36, "data");
  header.setUint32(40, bytes, true);
  return new Blob([header, ...pieces], { type: "audio/wav" });
}

/**
 * Samples as 16-bit numbers.
 * @param {Float32Array} samples in −1…1.
 * @returns {Int16Array}
 */
export function toInt16(samples) {
  const values = new Int16Array(samples.length);
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.max(-32768, Math.min(32767, Math.round(32768 * samples[i])));
  }
  return values;
}

/** Seconds as the header of a file states them; NaN if the browser cannot tell. */
function durationOf(file) {
  return new Promise((resolve) => {
    const audio = new Audio();
    const address = URL.createObjectURL(file);
    const finish = (duration) => {
      URL.revokeObjectURL(address);
      resolve(duration);
    };
    audio.preload = "metadata";
    audio.addEventListener("loadedmetadata", () => finish(audio.duration));
    audio.addEventListener("error", () => finish(NaN));
    audio.src = address;
  });
}
