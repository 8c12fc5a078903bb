// One encrypted HLS stream on one media element: hls.js where there is MSE, the browser's own HLS on Safari.

import { preferences, wantsSubtitles } from "./choices.js";

let library = null;

function loadHls() {
  library ??= import("/static/vendor/hls.mjs").then((module) => module.default);
  return library;
}

/** Feeds an element. `onFailure(kind, status)` is called once, with kind "network" or "undecodable". */
export class Stream {
  constructor(element, { onFailure }) {
    this.element = element;
    this.onFailure = onFailure;
    this.hls = null;
    this.over = false;
    this.started = false;
    this.onTracks = () => {}; // there are other sound tracks or subtitles, or others are on
  }

  /** Whether hls.js is at work; it reports failures itself. */
  get managed() {
    return this.hls !== null;
  }

  /** Resolves when the stream can be started; playback begins at `from` seconds. */
  async open(playlist, from) {
    const Hls = await loadHls();
    if (this.over) return;
    if (!Hls.isSupported()) return this.openNatively(playlist, from);
    const hls = new Hls({
      startPosition: from || 0, // of a film on air too, which grows at its end
      enableWorker: false, // a worker from a blob costs more than it saves for one stream
      capLevelToPlayerSize: true,
      maxBufferLength: 30,
      backBufferLength: 60,
      ...preferences(),
    });
    this.hls = hls;
    const { AUDIO_TRACKS_UPDATED, AUDIO_TRACK_SWITCHED, SUBTITLE_TRACKS_UPDATED, SUBTITLE_TRACK_SWITCH } = Hls.Events;
    for (const event of [AUDIO_TRACKS_UPDATED, AUDIO_TRACK_SWITCHED, SUBTITLE_TRACKS_UPDATED, SUBTITLE_TRACK_SWITCH]) {
      hls.on(event, () => this.onTracks());
    }
    const wanted = wantsSubtitles();
    if (wanted !== null) hls.subtitleDisplay = wanted;
    let recovered = false;
    await new Promise((resolve, reject) => {
      hls.on(Hls.Events.MANIFEST_PARSED, () => {
        this.started = true; // from here on a failure is nobody's promise any more
        resolve();
      });
      hls.on(Hls.Events.ERROR, (_name, data) => {
        if (!data.fatal) return;
        const status = data.response?.code ?? 0;
        if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !recovered) {
          recovered = true;
          return void hls.recoverMediaError();
        }
        const kind = data.type === Hls.ErrorTypes.NETWORK_ERROR || status >= 400 ? "network" : "undecodable";
        this.fail(kind, status);
        reject(Object.assign(new Error(data.details), { kind, status }));
      });
      hls.loadSource(playlist);
      hls.attachMedia(this.element);
    });
  }

  /** What there is to choose from, and which of it is on; by index, -1 for none. Empty where the browser plays HLS itself. */
  tracks() {
    const { audioTracks = [], audioTrack = -1, subtitleTracks = [], subtitleTrack = -1 } = this.hls ?? {};
    const shown = this.hls?.subtitleDisplay === false ? -1 : subtitleTrack;
    return { sounds: audioTracks, sound: audioTrack, subtitles: subtitleTracks, subtitle: shown };
  }

  chooseSound(index) {
    this.hls.audioTrack = index;
  }

  chooseSubtitles(index) {
    this.hls.subtitleDisplay = index >= 0;
    this.hls.subtitleTrack = index;
  }

  openNatively(playlist, from) {
    if (!this.element.canPlayType("application/vnd.apple.mpegurl")) {
      throw Object.assign(new Error("no HLS here"), { kind: "undecodable", status: 0 });
    }
    this.element.src = playlist;
    if (from) {
      this.element.addEventListener("loadedmetadata", () => (this.element.currentTime = from), { once: true });
    }
  }

  fail(kind, status) {
    if (this.over || !this.started) return;
    this.over = true;
    this.onFailure(kind, status);
  }

  /** Lets go of the element and everything buffered. */
  close() {
    this.over = true;
    this.hls?.destroy();
    this.hls = null;
  }
}
