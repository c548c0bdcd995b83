/**
 * `Player`: plays a recording, or a range of it, at any speed with its own pitch.
 *
 * Events: "time" while it plays, and when the place changes; "state" when it starts, stops or gets
 * another recording. Only one player of a page plays at once.
 */

let active = null;

export class Player extends EventTarget {
  #address = null;
  #end = Infinity;
  #frame = 0;

  constructor() {
    super();
    /** The hidden element that plays; it must be in the document. */
    this.element = document.createElement("audio");
    this.element.preload = "auto";
    for (const name of ["play", "pause", "ended", "loadedmetadata", "error"]) {
      this.element.addEventListener(name, () => this.dispatchEvent(new Event("state")));
    }
    for (const name of ["timeupdate", "seeked"]) {
      this.element.addEventListener(name, () => this.#check());
    }
    this.element.addEventListener("play", () => this.#watch());
  }

  /** Take a recording: a file that the browser can play. */
  load(file) {
    this.close();
    this.#address = URL.createObjectURL(file);
    this.element.src = this.#address;
  }

  /** Stop, and give the recording's memory back. */
  close() {
    this.pause();
    if (this.#address === null) return;
    URL.revokeObjectURL(this.#address);
    this.#address = null;
    this.element.removeAttribute("src");
    this.element.load();
  }

  /** Whether there is a recording that the browser can play. */
  get ready() {
    return this.element.readyState > 0 && this.element.error === null;
  }

  get playing() {
    return !this.element.paused;
  }

  /** Seconds; 0 while there is no recording. */
  get duration() {
    return Number.isFinite(this.element.duration) ? this.element.duration : 0;
  }

  /** The place, in seconds. */
  get time() {
    return this.element.currentTime;
  }

  set time(seconds) {
    this.#end = Infinity;
    this.element.currentTime = Math.max(0, Math.min(this.duration, seconds));
  }

  /** Speed; 1 as recorded. */
  get rate() {
    return this.element.playbackRate;
  }

  set rate(rate) {
    this.element.defaultPlaybackRate = this.element.playbackRate = rate;
  }

  /**
   * Play.
   * @param {number} start seconds; default: the current place, or the beginning if it is at the end.
   * @param {number} end seconds; default: the end of the recording.
   */
  async play(start = this.element.ended ? 0 : this.time, end = Infinity) {
    if (active !== this) active?.pause();
    active = this;
    if (start !== this.time) this.time = start;
    this.#end = end;
    try {
      await this.element.play();
    } catch (error) {
      if (error.name !== "AbortError") this.dispatchEvent(new Event("state")); // cannot be played
    }
  }

  pause() {
    this.element.pause();
  }

  /** Play from here, or stop. */
  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  #watch() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      this.#check();
      if (this.playing) this.#watch();
    });
  }

  #check() {
    if (this.playing && !this.element.seeking && this.time >= this.#end) this.pause();
    this.dispatchEvent(new Event("time"));
  }
}
