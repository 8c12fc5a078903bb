// What one can choose of a play: its chapter, its sound track, its subtitles. Shown only where there is a choice.
// The languages one chose last are asked for again in the next film.

const SOUND = "wavecrate.sound";
const SUBTITLES = "wavecrate.subtitles";
const OFF = "-1";

/** The options hls.js chooses by: what was chosen in an earlier film. */
export function preferences() {
  const sound = remembered(SOUND);
  const subtitles = remembered(SUBTITLES);
  return {
    ...(sound && { audioPreference: { lang: sound.lang, name: sound.name } }),
    ...(subtitles && { subtitlePreference: subtitles.lang ? { lang: subtitles.lang } : {} }),
  };
}

/** Whether subtitles are wanted from the start: null where nobody has said so yet. */
export function wantsSubtitles() {
  const chosen = remembered(SUBTITLES);
  return chosen && Boolean(chosen.lang);
}

/** The menus in the player's bar. */
export class Choices {
  constructor(root, seekTo) {
    this.root = root;
    this.stream = null;
    this.starts = [];
    this.chapter = menu(root, "chapter", (value) => seekTo(Number(value)));
    this.sound = menu(root, "sound", (value) => this.chooseSound(Number(value)));
    this.subtitles = menu(root, "subtitles", (value) => this.chooseSubtitles(Number(value)));
  }

  /** A play begins: its chapters are `[{start, title}]`, in seconds. */
  open(stream, chapters) {
    this.stream = stream;
    this.starts = chapters.map(({ start }) => start);
    const named = chapters.map(({ start, title }, index) => [String(start), title || String(index + 1)]);
    fill(this.chapter, named, named[0]?.[0], 2);
    stream.onTracks = () => this.show();
    this.show();
  }

  close() {
    if (this.stream) this.stream.onTracks = () => {};
    this.stream = null;
    for (const select of [this.chapter, this.sound, this.subtitles]) fill(select, [], "", 1);
    this.resize();
  }

  show() {
    const { sounds, sound, subtitles, subtitle } = this.stream.tracks();
    fill(this.sound, sounds.map(named), String(sound), 2);
    const off = [OFF, this.root.dataset.textOff];
    fill(this.subtitles, subtitles.length ? [off, ...subtitles.map(named)] : [], String(subtitle), 2);
    this.resize();
  }

  /** The time moved on: the chapter that runs is the one shown. */
  at(seconds) {
    const index = this.starts.findLastIndex((start) => start <= seconds + 0.05);
    if (document.activeElement !== this.chapter && index >= 0) this.chapter.selectedIndex = index;
  }

  chooseSound(index) {
    const { lang, name } = this.stream.tracks().sounds[index];
    remember(SOUND, { lang, name });
    this.stream.chooseSound(index);
  }

  chooseSubtitles(index) {
    remember(SUBTITLES, { lang: this.stream.tracks().subtitles[index]?.lang ?? "" });
    this.stream.chooseSubtitles(index);
  }

  resize() {
    this.root.hidden = [...this.root.children].every((choice) => choice.hidden);
    const bar = this.root.closest(".player");
    if (!bar.hidden) document.documentElement.style.setProperty("--player-height", `${bar.offsetHeight}px`);
  }
}

const named = (track, index) => [String(index), track.name];

function menu(root, name, choose) {
  const select = root.querySelector(`[data-choice="${name}"] select`);
  select.addEventListener("change", () => choose(select.value));
  return select;
}

/** Shows the options if there are at least so many. */
function fill(select, options, chosen, least) {
  select.parentElement.hidden = options.length < least;
  const same = select.options.length === options.length && options.every(([, text], n) => select.options[n].text === text);
  if (!same) select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  select.value = chosen;
}

function remembered(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null; // storage is closed to us, or holds what we never wrote
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Then it holds for this film alone.
  }
}
