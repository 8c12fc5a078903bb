// One master on its way to the object store: begun with the shop, sent in parts by Uppy, gone on with after whatever
// broke it off. Every part carries its SHA-256; the store refuses a part that is not what was read here.

import { AwsS3, Uppy } from "../../vendor/uppy.mjs";
import { ask, headers, Refusal, SignedOut } from "./ask.js";
import { base64, hex, sha256 } from "./digest.js";

const HEAD = 1024 * 1024; // what a file is known by, beside its name, size and date
const LONGEST_WAIT = 30_000;
const STALLED = 90_000; // a connection that is silent for so long is cut and made anew
const PATIENCE = 5; // how often the store may refuse without a part having gone through in between

export class Transfer {
  state = "waiting"; // comparing, sending, offline, paused, checking, done, failed, cancelled
  sent = 0;
  note = "";
  id = null;
  purpose = ""; // what the shop will make of the file, where that is a track's new master

  #begun = null;
  #uppy = null;
  #uppyFile = null;
  #live = false; // Uppy is at it
  #paused = false;
  #completing = false;
  #wake = () => {};
  #digests = new Map();
  #part = 0;
  #refusals = 0;
  #waits = 0;
  #moved = 0;

  /** `changed` is called whenever something above is different. */
  constructor(file, { begin, track, words, changed }) {
    this.file = file;
    this.begin = begin;
    this.track = track;
    this.words = words;
    this.changed = changed;
  }

  get isOver() {
    return ["done", "failed", "cancelled"].includes(this.state);
  }

  get isPaused() {
    return this.#paused;
  }

  get canPause() {
    return ["comparing", "sending", "offline"].includes(this.state) && !this.#completing;
  }

  /** Send it; returns the address that tells what became of it, or null where nothing did. */
  async run() {
    const watch = setInterval(() => this.#mindStall(), 10_000);
    try {
      if (!globalThis.crypto?.subtle) throw new Refusal(this.words.textInsecure);
      await this.#announce();
      for (let afresh = false; !this.isOver; afresh = true) {
        if (afresh) await this.#announce(true);
        if (await this.#send()) break;
      }
      if (this.isOver) return null;
      this.#set({ state: "done" });
      return this.#begun.url;
    } catch (error) {
      if (!this.isOver) this.#set({ state: "failed", note: this.#words(error) });
      return null;
    } finally {
      clearInterval(watch);
      this.#uppy?.destroy();
    }
  }

  pause() {
    if (this.#paused || !this.canPause) return;
    this.#paused = true;
    if (this.#live) this.#uppy.pauseResume(this.#uppyFile);
    this.#set({ state: "paused" });
  }

  resume() {
    if (!this.#paused) return;
    this.#paused = false;
    this.#moved = Date.now();
    this.#set({ state: this.#uppy ? "sending" : "comparing" });
    if (this.#live) this.#uppy.pauseResume(this.#uppyFile);
    else this.#wake();
  }

  cancel() {
    if (this.isOver) return;
    const live = this.#live;
    this.#set({ state: "cancelled" });
    if (live) this.#uppy.cancelAll(); // tells the shop as well
    else if (this.#begun) ask("DELETE", this.#begun.url).catch(() => {}); // else the nightly sweep does
    this.#wake();
    this.#ended?.(true);
  }

  /** Begin with the shop, or go on with what it has; what it has is compared with the file. */
  async #announce(afresh = false) {
    this.#set({ state: "comparing" });
    const head = hex(await sha256(this.file.slice(0, HEAD)));
    const { name: filename, size, lastModified: modified } = this.file;
    const answer = await this.#insist(() =>
      ask("POST", this.begin, { filename, size, modified, head, track: this.track ?? null, afresh }),
    );
    if (this.isOver) return;
    this.#begun = await answer.json();
    this.#set({ id: this.#begun.id, purpose: this.#begun.purpose ?? "", sent: 0 });
    for (const [number, told] of Object.entries(this.#begun.kept)) {
      await this.#untilResumed();
      if (this.isOver) return;
      const piece = this.#piece(Number(number));
      if (hex(await sha256(piece)) !== told) return this.#announce(true); // another file after all
      this.#set({ sent: this.sent + piece.size });
    }
    this.track = this.#begun.track; // the file is the one that was meant: begun again, it is for the same track
  }

  #ended = null;

  /** Have Uppy send what is missing; true at the end, false where the store has forgotten the transfer. */
  #send() {
    if (this.isOver) return true;
    this.#uppy?.destroy();
    const uppy = (this.#uppy = new Uppy({ id: this.#begun.id, autoProceed: false }));
    uppy.use(AwsS3, {
      shouldUseMultipart: true,
      getChunkSize: () => this.#begun.part_size,
      limit: 1,
      signRequest: (wanted) => this.#sign(wanted),
    });
    const file = (this.#uppyFile = uppy.addFile({ name: this.file.name, data: this.file }));
    // As if taken up again: Uppy then asks which parts are there instead of beginning by itself.
    uppy.setFileState(file, { s3Multipart: { uploadId: this.#begun.id, key: this.#begun.id } });
    return new Promise((resolve, reject) => {
      this.#ended = resolve;
      uppy.on("upload-progress", (_file, progress) => {
        this.#moved = Date.now();
        if (!this.#paused && !this.isOver) this.#set({ state: "sending", sent: progress.bytesUploaded });
      });
      uppy.on("s3-multipart:part-uploaded", () => {
        this.#refusals = this.#waits = 0;
        this.#digests.delete(this.#part);
        if (this.note) this.#set({ note: "" });
      });
      uppy.on("upload-success", () => {
        this.#live = false;
        resolve(true);
      });
      uppy.on("upload-error", async (_file, error) => {
        this.#live = this.#completing = false;
        if (this.isOver) return;
        try {
          if ((await this.#judge(error)) === "gone") return resolve(false);
          await this.#untilResumed();
          if (this.isOver) return;
          this.#start(() => uppy.retryUpload(file));
        } catch (final) {
          reject(final);
        }
      });
      this.#start(() => uppy.upload());
    });
  }

  #start(go) {
    this.#live = true;
    this.#moved = Date.now();
    if (this.state !== "offline") this.#set({ state: "sending" });
    go().catch(() => {}); // its errors come by the event
  }

  /** Wait until it is worth trying again, or say that the transfer is "gone". Throws what is final. */
  async #judge(error) {
    if (error instanceof Refusal || error instanceof SignedOut) throw error;
    if (error.name === "NotReadableError" || error.name === "NotFoundError") throw error;
    const { status = 0, body = "" } = error;
    if (status === 404) return "gone";
    if (status >= 400 && status < 500) {
      this.#refusals += 1;
      if (this.#refusals > PATIENCE) throw new Refusal(told(body) ?? this.words.textRefused);
      if (/BadDigest|Checksum/.test(body)) {
        this.#digests.delete(this.#part);
        this.#set({ note: this.words.textDamaged.replace("%(number)s", this.#part) });
      }
      await this.#wait();
      return "again";
    }
    this.#standStill();
    await this.#wait();
    return "again";
  }

  #standStill() {
    if (!this.#paused && !this.isOver) this.#set({ state: "offline" });
  }

  /** Answer Uppy's wish for a signed request. The store is asked for parts only; the rest is the shop's own affair. */
  async #sign({ method, partNumber }) {
    const { url } = this.#begun;
    if (method === "PUT") {
      this.#part = partNumber;
      const digest = await this.#digest(partNumber);
      const signed = await (await ask("POST", `${url}/parts/${partNumber}`, { sha256: base64(digest) })).json();
      this.#digest(partNumber + 1)?.catch(() => {}); // read while this one is sent
      return signed;
    }
    if (method === "GET") return { url: `${url}/parts`, headers: headers() };
    if (method === "DELETE") return { url, headers: headers() };
    this.#completing = true;
    this.#set({ state: "checking", sent: this.file.size });
    return { url: `${url}/complete`, headers: headers() };
  }

  #digest(number) {
    if ((number - 1) * this.#begun.part_size >= this.file.size) return null;
    if (!this.#digests.has(number)) this.#digests.set(number, sha256(this.#piece(number)));
    return this.#digests.get(number);
  }

  #piece(number) {
    const size = this.#begun.part_size;
    return this.file.slice((number - 1) * size, number * size);
  }

  /** Ask until there is an answer; only a Refusal ends it. */
  async #insist(question) {
    while (!this.isOver) {
      try {
        const answer = await question();
        this.#waits = 0;
        return answer;
      } catch (error) {
        if (error instanceof Refusal || error instanceof SignedOut) throw error;
        this.#standStill();
        await this.#wait();
        await this.#untilResumed();
      }
    }
    return null;
  }

  /** Wait longer each time, but no longer than until the connection is back or somebody presses “go on”. */
  #wait() {
    const longest = Math.min(LONGEST_WAIT, 500 * 2 ** this.#waits++);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        removeEventListener("online", done);
        resolve();
      };
      const timer = setTimeout(done, longest * (0.75 + Math.random() / 2));
      addEventListener("online", done);
      this.#wake = done;
    });
  }

  async #untilResumed() {
    while (this.#paused && !this.isOver) {
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #mindStall() {
    if (!this.#live || this.#paused || this.#completing || Date.now() - this.#moved < STALLED) return;
    this.#moved = Date.now();
    this.#uppy.pauseResume(this.#uppyFile);
    this.#uppy.pauseResume(this.#uppyFile);
  }

  #words(error) {
    if (error instanceof SignedOut) return this.words.textSignedOut;
    if (error.name === "NotReadableError" || error.name === "NotFoundError") return this.words.textChanged;
    return (error instanceof Refusal && error.message) || this.words.textRefused;
  }

  #set(what) {
    Object.assign(this, what);
    this.changed(this);
  }
}

/** What a refusal of the shop's own says, which Uppy hands on as text. */
function told(body) {
  try {
    return JSON.parse(body).error;
  } catch {
    return undefined;
  }
}
