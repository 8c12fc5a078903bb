// The player: one bar under every page. It previews what is not owned and plays what is, and outlives navigation.
//
// State, for style sheets and tests, stands on #player: data-state (idle, buffering, playing, paused, ended, error)
// and data-mode (none, preview, track, film).

import { csrfToken, toast } from "./main.js";
import { Choices } from "./player/choices.js";
import * as shop from "./player/shop.js";
import { Station, dismiss } from "./player/radio.js";
import { bindKeys } from "./player/keys.js";
import { mediaSession } from "./player/session.js";
import { Stream } from "./player/stream.js";
import { Waveform } from "./player/waveform.js";

const bar = document.getElementById("player");
const texts = bar.dataset;
const part = (selector) => bar.querySelector(selector);
const audio = part(".player__audio");
const seek = part(".player__seek");
const volume = part(".player__volume");
const message = part(".player__message");
const wave = new Waveform(part(".player__wave canvas"));
const choices = new Choices(part(".player__choices"), seekTo);

const STEP_SECONDS = 10;
const REPORT_SECONDS = 10;
const PREVIEW_HEARD = 10; // seconds, or all of a shorter one
const PREVIOUS_RESTARTS_AFTER = 3; // seconds into a track, "previous" means "from the start"

let media = audio; // the element that sounds: the bar's own, or a film's
let stream = null; // what feeds it, when it is a full play
let queue = []; // the release's playable tracks, as they stood when play was pressed; a station's, as they come
let station = null; // the radio that keeps the queue filled, while one is on
let at = -1;
let play = null; // what the shop answered for the present track
let preview = null; // the address of the running preview
let previewing = null; // its track, until the shop was told that it was heard
let renewed = false; // one renewal per failure: a second one in a row is a real failure
let reportedAt = 0;
let heard = 0; // seconds of this play that really sounded: jumps don't count
let clockedAt = 0;
let ticket = 0; // tells a late answer for an earlier press from the present one

// ---- What the page offers -------------------------------------------------------------------------------------------

function queueFrom(button) {
  const release = button.closest("[data-release]");
  if (!release) return [];
  const { title, artist, cover, href } = release.dataset;
  const film = release.querySelector("video[data-film]");
  if (film) return [{ id: film.dataset.film, title, artist, cover, href, film }];
  return [...release.querySelectorAll("[data-track]")].filter((row) => row.querySelector("[data-play]")).map(entryOf);
}

/** What a row of the page plays: the whole track, or its preview. */
function entryOf(row) {
  const { release, cover, href, title, artist } = row.closest("[data-release]")?.dataset ?? {};
  const own = row.dataset;
  const preview = row.querySelector("[data-preview]")?.dataset.preview ?? null;
  return { id: own.track, title: own.title ?? title, artist: own.artist ?? artist, cover, href, release, preview };
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-play], [data-play-all], [data-preview], [data-radio]");
  if (!button) return;
  if (button.dataset.radio) return void tuneFrom(button.closest("[data-track]"));
  if (button.dataset.preview) return void togglePreview(button);
  const tracks = queueFrom(button);
  const wanted = button.dataset.play ?? tracks[0]?.id;
  if (play && queue[at]?.id === wanted && bar.dataset.state !== "error") return void toggle();
  station = null;
  queue = tracks.length ? tracks : [{ id: wanted, title: "", artist: "", cover: "", href: location.pathname }];
  start(Math.max(0, queue.findIndex((track) => track.id === wanted)));
});

// ---- Previews -------------------------------------------------------------------------------------------------------

function togglePreview(button) {
  if (preview === button.dataset.preview && bar.dataset.state !== "error") return void toggle();
  station = null;
  queue = [entryOf(button.closest("[data-track]"))];
  return start(0);
}

async function startPreview(track) {
  preview = track.preview;
  previewing = track.id;
  show(track);
  setMode("preview");
  wave.setPeaks([]);
  media = audio;
  audio.src = preview;
  clockedAt = 0;
  await sound();
}

// ---- Full plays -----------------------------------------------------------------------------------------------------

async function start(index, { position = null } = {}) {
  leave();
  at = index;
  const track = queue[at];
  const mine = ++ticket;
  if (station) onAir(track);
  if (track.preview) return void startPreview(track);
  show(track);
  setMode(track.film ? "film" : "track");
  setState("buffering");
  try {
    const answer = await shop.requestPlay(track.id, csrfToken());
    if (mine !== ticket) return;
    play = answer;
    show({ ...track, title: answer.title || track.title, artist: answer.artist || track.artist, cover: answer.cover || track.cover });
    wave.setPeaks(answer.peaks ?? []);
    showTime(0, (answer.duration_ms ?? 0) / 1000);
    media = track.film ?? audio;
    const from = position ?? resumeFrom(answer);
    stream = new Stream(media, { onFailure: (kind, status) => failed(kind, status) });
    choices.open(stream, answer.chapters ?? []);
    await stream.open(answer.playlist, from);
    if (mine !== ticket) return;
    if (track.film) revealFilm(track.film);
    reportedAt = from;
    clockedAt = from;
    heard = 0;
    await sound();
  } catch (error) {
    if (mine === ticket) failed(error.kind ?? "network", error.status ?? 0);
  }
}

/** Where one left off, unless that is the very start or the very end. */
function resumeFrom(answer) {
  const position = (answer.position_ms ?? 0) / 1000;
  const length = (answer.duration_ms ?? 0) / 1000;
  return position > 5 && position < length - 5 ? position : 0;
}

function revealFilm(video) {
  video.controls = true;
  video.closest("[data-film-stage]").classList.add("is-open");
  video.focus({ preventScroll: true });
}

async function sound() {
  try {
    await media.play();
  } catch (error) {
    // The browser wants a gesture first: the play button is one.
    if (error.name === "NotAllowedError") setState("paused");
    else if (error.name !== "AbortError") failed("undecodable", 0);
  }
}

/** Ends what is running, telling the shop how far it came. */
function leave() {
  report(false);
  ticket += 1;
  choices.close();
  stream?.close();
  stream = null;
  media.pause();
  if (media === audio) audio.removeAttribute("src");
  audio.load();
  media = audio;
  play = null;
  preview = null;
  previewing = null;
  at = -1;
  setMessage("");
  showTime(0, 0);
}

async function failed(kind, status) {
  const where = media.currentTime || 0;
  // An expired session or a broken connection: ask once for a fresh playlist and go on from here.
  if (play && !renewed && kind !== "undecodable") {
    renewed = true;
    return void start(at, { position: where });
  }
  media.pause();
  setState("error");
  if (preview) return setMessage(texts.textPreviewFailed);
  const reason = kind === "undecodable" ? "Undecodable" : { 401: "Signin", 403: "Forbidden", 404: "Missing", 409: "Missing" }[status];
  setMessage(texts[`text${reason ?? "Network"}`]);
}

// ---- Controls -------------------------------------------------------------------------------------------------------

function toggle() {
  if (bar.dataset.state === "error") {
    renewed = false;
    if (queue[at]) return void start(at, { position: media.currentTime || null });
  }
  if (media.paused) void sound();
  else media.pause();
}

async function next() {
  if (station && at + 1 >= queue.length) await refill();
  if (at >= 0 && at + 1 < queue.length) start(at + 1, { position: 0 });
}

function previous() {
  if (media.currentTime > PREVIOUS_RESTARTS_AFTER || at <= 0) seekTo(0);
  else start(at - 1, { position: 0 });
}

function seekTo(seconds) {
  const length = lengthOf();
  if (!length) return;
  media.currentTime = Math.min(Math.max(0, seconds), Math.max(0, length - 0.25));
}

function seekBy(seconds) {
  seekTo(media.currentTime + seconds);
}

function mute() {
  media.muted = !media.muted;
  showVolume();
}

function close() {
  leave();
  station = null;
  queue = [];
  setMode("none");
  setState("idle");
}

/** The listener goes on by hand: they may have skipped this one, which the shop judges by how much was heard. */
async function skip() {
  if (at < 0 || (at + 1 >= queue.length && !station)) return;
  report(false, { skipped: true });
  if (station) await turnFrom(queue[at]);
  next();
}

// ---- Radio ----------------------------------------------------------------------------------------------------------

/** The radio begins at what plays, or ends where it is on. */
function toggleRadio() {
  if (station) {
    station = null;
    queue.length = at + 1;
    say(texts.textRadioOff);
    return showRadio();
  }
  if (at < 0 || queue[at].film) return;
  queue = [queue[at]];
  at = 0;
  return tune(queue[0]);
}

/** The radio begins at a track of the page, which plays first. */
function tuneFrom(row) {
  const track = entryOf(row);
  if (at >= 0 && queue[at].id === track.id && bar.dataset.state !== "error") {
    if (media.paused) void sound();
    return station?.seed.id === track.id ? undefined : (station = null, toggleRadio());
  }
  queue = [track];
  station = null;
  start(0);
  return tune(track);
}

function tune(seed) {
  station = new Station(seed);
  station.began(seed.id);
  say(texts.textRadioOn.replace("{title}", seed.title));
  showRadio();
  return refill();
}

/** A track of the station begins: told to who doesn't look, and the queue is filled up behind it. */
function onAir(track) {
  station.began(track.id);
  say((track.preview ? texts.textRadioPreview : texts.textRadioWhole).replace("{title}", track.title).replace("{artist}", track.artist));
  if (queue.length - at < 3) void refill();
}

/** Asks for more behind what waits already. One question at a time; an answer for a station that is over is dropped. */
async function refill() {
  const mine = station;
  try {
    const tracks = await mine.more(queue.slice(at + 1), csrfToken());
    if (mine !== station) return;
    const there = new Set(queue.slice(at).map((track) => track.id));
    queue.push(...tracks.filter((track) => !there.has(track.id)));
    if (at + 1 >= queue.length) setMessage(texts.textRadioEnd);
  } catch (error) {
    if (mine === station) setMessage(error.message || texts.textRadioFailed);
  }
  showRadio();
}

/** What waits was chosen before the listener turned this one down: it is chosen anew. */
async function turnFrom(track) {
  station.skipped.push(track.id);
  const waiting = queue.splice(at + 1);
  await refill();
  if (at + 1 >= queue.length) queue.push(...waiting);
}

/** Not for me: the shop is told, and the station goes on without it. */
async function turnDown() {
  const track = queue[at];
  if (!station || !track?.release) return;
  if (!(await dismiss(track.release, csrfToken()))) return setMessage(texts.textRadioFailed);
  say(texts.textDismissed.replace("{title}", track.title));
  await skip();
}

function showRadio() {
  const radio = part('[data-action="radio"]');
  radio.setAttribute("aria-pressed", String(Boolean(station)));
  part('[data-action="dismiss"]').hidden = !station?.signedIn;
  part(".player__radio").hidden = bar.dataset.mode === "film" || at < 0;
  part('[data-action="next"]').disabled = at < 0 || (at + 1 >= queue.length && !station);
  part('[data-action="previous"]').disabled = bar.dataset.mode === "preview" && at <= 0;
  showHeight();
}

/** To screen readers alone: what the bar shows by other means. */
function say(text) {
  part(".player__said").textContent = text;
}

const actions = { toggle, next: skip, previous, mute, close, radio: toggleRadio, dismiss: turnDown };
bar.addEventListener("click", (event) => {
  const action = event.target.closest("[data-action]")?.dataset.action;
  if (action) actions[action]();
});
seek.addEventListener("input", () => seekTo(Number(seek.value)));
volume.addEventListener("input", () => {
  media.volume = Number(volume.value);
  media.muted = false;
  showVolume();
});
bindKeys({ toggle, next: skip, previous, mute, radio: toggleRadio, seekBy, step: STEP_SECONDS, active: () => bar.dataset.mode !== "none" });
const session = mediaSession({ toggle, next: skip, previous, seekTo, seekBy, step: STEP_SECONDS });

// ---- What the element says ------------------------------------------------------------------------------------------

function listen(element) {
  const on = (name, what) => element.addEventListener(name, () => element === media && what());
  on("playing", () => {
    renewed = false;
    setMessage("");
    setState("playing");
  });
  on("pause", () => {
    if (bar.dataset.state === "error" || element.ended) return;
    setState("paused");
    report(false);
  });
  on("waiting", () => setState("buffering"));
  on("timeupdate", () => {
    const step = element.currentTime - clockedAt;
    clockedAt = element.currentTime;
    if (step > 0 && step < 2) heard += step;
    showTime(element.currentTime, lengthOf());
    if (element.currentTime >= PREVIEW_HEARD) previewHeard();
    if (Math.abs(element.currentTime - reportedAt) >= REPORT_SECONDS) report(false);
  });
  on("durationchange", () => showTime(element.currentTime, lengthOf()));
  on("seeked", () => report(false));
  on("volumechange", showVolume);
  on("ended", () => {
    setState("ended");
    report(true);
    previewHeard();
    if (at + 1 < queue.length || station) next();
  });
  on("error", () => {
    // hls.js speaks for itself; what remains is a preview, or Safari's own HLS.
    if (element.getAttribute("src") && !stream?.managed) failed(preview ? "network" : "native", 0);
  });
}
listen(audio);

function lengthOf() {
  if (Number.isFinite(media.duration) && media.duration > 0) return media.duration;
  return (play?.duration_ms ?? 0) / 1000;
}

function report(ended, more = {}) {
  if (!play || !(media.currentTime || more.skipped)) return;
  reportedAt = media.currentTime;
  shop.reportProgress(
    play.session,
    { position_ms: Math.round(media.currentTime * 1000), played_ms: Math.round(heard * 1000), ended, ...more },
    csrfToken(),
  );
}

function previewHeard() {
  if (previewing) shop.reportPreview(previewing, csrfToken());
  previewing = null;
}

addEventListener("pagehide", () => report(false));

// ---- What one sees --------------------------------------------------------------------------------------------------

function show({ title, artist, cover, href }) {
  bar.hidden = false;
  showHeight();
  const link = part(".player__title");
  link.textContent = title ?? "";
  link.href = href || "/";
  part(".player__artist").textContent = artist ?? "";
  const image = part(".player__cover");
  image.hidden = !cover;
  if (cover) image.src = cover;
  session.describe({ title, artist, cover });
  wave.resize();
}

function setMode(mode) {
  bar.dataset.mode = mode;
  bar.hidden = mode === "none";
  const badge = part(".player__badge");
  badge.hidden = mode !== "preview";
  badge.textContent = texts.textPreview;
  showRadio();
}

function showHeight() {
  document.documentElement.style.setProperty("--player-height", bar.hidden ? "0px" : `${bar.offsetHeight}px`);
}

function setState(state) {
  bar.dataset.state = state;
  const sounds = state === "playing" || state === "buffering";
  const button = part('[data-action="toggle"]');
  button.setAttribute("aria-label", sounds ? texts.textPause : texts.textPlay);
  setIcon(button, sounds ? "pause" : "play");
  if (state === "buffering") bar.setAttribute("aria-busy", "true");
  else bar.removeAttribute("aria-busy");
  session.state(state === "playing" ? "playing" : state === "idle" ? "none" : "paused");
  mark();
}

/** Shows on the page which track sounds; the page may have been swapped meanwhile. */
function mark() {
  const sounds = ["playing", "buffering"].includes(bar.dataset.state);
  const id = queue[at]?.id;
  for (const button of document.querySelectorAll("[data-play], [data-preview]")) {
    const mine = preview ? button.dataset.preview === preview : Boolean(play ?? id) && button.dataset.play === id;
    button.setAttribute("aria-pressed", String(mine && sounds));
    button.closest(".track")?.classList.toggle("is-playing", mine);
    if (!mine) button.style.removeProperty("--p");
    setIcon(button, mine && sounds ? "pause" : "play");
  }
}

function showTime(now, length) {
  part('[data-time="now"]').textContent = clock(now);
  part('[data-time="all"]').textContent = clock(length);
  seek.max = String(length || 0);
  seek.value = String(now);
  seek.setAttribute("aria-valuetext", `${clock(now)} / ${clock(length)}`);
  wave.setProgress(length ? now / length : 0);
  choices.at(now);
  session.position(now, length);
  if (preview && length) {
    const button = document.querySelector(`[data-preview="${CSS.escape(preview)}"]`);
    button?.style.setProperty("--p", String(now / length));
  }
}

function showVolume() {
  volume.value = String(media.muted ? 0 : media.volume);
  const button = part('[data-action="mute"]');
  button.setAttribute("aria-label", media.muted ? texts.textUnmute : texts.textMute);
  setIcon(button, media.muted ? "muted" : "volume");
}

function setMessage(text) {
  message.textContent = text;
  if (text && bar.dataset.mode === "film") toast(text);
}

function setIcon(button, name) {
  const use = button.querySelector("use");
  if (use) use.setAttribute("href", `${use.getAttribute("href").split("#")[0]}#${name}`);
}

function clock(seconds) {
  const whole = Math.floor(seconds || 0);
  const rest = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes >= 60 ? `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

// ---- Pages come and go ----------------------------------------------------------------------------------------------

function pageChanged() {
  // A film plays in its page: when the page goes, so does the film.
  if (bar.dataset.mode === "film" && !media.isConnected) close();
  for (const video of document.querySelectorAll("video[data-film]")) {
    if (!video.dataset.bound) {
      video.dataset.bound = "true";
      listen(video);
    }
  }
  mark();
}
document.addEventListener("wavecrate:page", pageChanged);
document.addEventListener("htmx:afterSwap", mark); // a piece of the page came anew, its buttons unmarked
document.addEventListener("play", (event) => {
  // Two things never sound at once.
  if (event.target.matches?.("[data-film-preview]") && !media.paused) media.pause();
}, true);
document.addEventListener("timeupdate", ({ target }) => {
  if (!target.matches?.("[data-film-preview]") || target.dataset.heard) return;
  if (target.currentTime < PREVIEW_HEARD && !target.ended) return;
  target.dataset.heard = "true";
  shop.reportPreview(target.dataset.filmPreview, csrfToken());
}, true);
pageChanged();
showVolume();
