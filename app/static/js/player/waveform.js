// The track's loudness over time, drawn behind the seek slider.

const BAR = 2;
const GAP = 1;

export class Waveform {
  constructor(canvas) {
    this.canvas = canvas;
    this.peaks = [];
    this.progress = 0;
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Peaks are 0 to 255, spread evenly over the track; none means a plain line. */
  setPeaks(peaks) {
    this.peaks = peaks;
    this.draw();
  }

  /** How much of the track lies behind, 0 to 1. */
  setProgress(progress) {
    this.progress = progress;
    this.draw();
  }

  resize() {
    const box = this.canvas.parentElement.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    this.draw();
  }

  draw() {
    const { width, height } = this.canvas;
    if (!width || !height) return;
    const ratio = devicePixelRatio || 1;
    const pen = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    const played = style.getPropertyValue("--wave-played").trim();
    const rest = style.getPropertyValue("--wave-rest").trim();
    const step = (BAR + GAP) * ratio;
    const count = Math.max(1, Math.floor(width / step));
    pen.clearRect(0, 0, width, height);
    for (let index = 0; index < count; index += 1) {
      const tall = Math.max(2 * ratio, this.peakAt(index, count) * height);
      pen.fillStyle = (index + 0.5) / count <= this.progress ? played : rest;
      pen.fillRect(index * step, (height - tall) / 2, BAR * ratio, tall);
    }
  }

  /** The loudest peak within bar `index` of `count`, 0 to 1. */
  peakAt(index, count) {
    const { peaks } = this;
    if (!peaks.length) return 0.08;
    const first = Math.floor((index / count) * peaks.length);
    const last = Math.max(first + 1, Math.floor(((index + 1) / count) * peaks.length));
    let loudest = 0;
    for (let at = first; at < last && at < peaks.length; at += 1) loudest = Math.max(loudest, peaks[at]);
    return loudest / 255;
  }
}
