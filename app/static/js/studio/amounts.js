// Sizes, times and how fast it goes, in the page's language.

const language = () => document.documentElement.lang || "en";

export function bytes(count) {
  const units = ["kilobyte", "megabyte", "gigabyte"];
  const step = Math.min(units.length, Math.max(1, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  return written(count / 1000 ** step, units[step - 1], step > 1 ? 1 : 0, "short");
}

export function time(seconds) {
  if (seconds < 90) return written(Math.max(1, seconds), "second", 0, "long");
  if (seconds < 5400) return written(seconds / 60, "minute", 0, "long");
  return written(seconds / 3600, "hour", 1, "long");
}

function written(value, unit, digits, unitDisplay) {
  const style = { style: "unit", unit, unitDisplay, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language(), style).format(value);
}

/** How long the rest takes at the pace of the last half minute; null until that can be told. */
export class Pace {
  #seen = [];

  left(sent, total) {
    const now = performance.now();
    if (this.#seen.length && sent < this.#seen.at(-1).sent) this.#seen = [];
    this.#seen.push({ now, sent });
    this.#seen = this.#seen.filter((each) => now - each.now < 30_000);
    const first = this.#seen[0];
    if (now - first.now < 3000 || sent === first.sent) return null;
    return ((total - sent) * (now - first.now)) / 1000 / (sent - first.sent);
  }
}
