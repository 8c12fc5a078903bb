// A station: from one track on and on. It remembers what was heard and skipped; the shop keeps nothing of it.

const MOST_TOLD = 1000; // what the shop looks at, too

/** The shop has no more to say, or could not be asked; `message` is the shop's own words, if it had any. */
export class RadioError extends Error {}

export class Station {
  constructor(seed) {
    this.seed = seed;
    this.heard = [];
    this.skipped = [];
    this.signedIn = false;
  }

  /** A track of the station began. */
  began(id) {
    if (this.heard.at(-1) !== id) this.heard.push(id);
  }

  /** The next handful, to be played after those that wait already. */
  async more(waiting, token) {
    const played = [...this.heard, ...waiting.map((track) => track.id)].slice(-MOST_TOLD);
    let answer;
    try {
      answer = await fetch(`/radio/${encodeURIComponent(this.seed.id)}`, {
        method: "POST",
        headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": token },
        body: JSON.stringify({ played, skipped: this.skipped.slice(-MOST_TOLD) }),
      });
    } catch {
      throw new RadioError("");
    }
    if (!answer.ok) throw new RadioError((await answer.json().catch(() => ({}))).error ?? "");
    const { tracks, again, signed_in: signedIn } = await answer.json();
    this.signedIn = signedIn;
    // The round ends with the last of it: a skip drops what waits, and what was dropped is still to be heard in this one.
    if (again && waiting.length) return [];
    if (again) this.heard = this.heard.slice(-1);
    return tracks.map((track) => ({ ...track, release: track.release_id }));
  }
}

/** Tells the shop that a release is not for the listener; resolves to whether it heard. */
export async function dismiss(releaseId, token) {
  try {
    const answer = await fetch(`/releases/${encodeURIComponent(releaseId)}/opinion`, {
      method: "POST",
      headers: { "HX-Request": "true", "X-CSRFToken": token },
      body: new URLSearchParams({ say: "dismissed", piece: "card" }),
    });
    return answer.ok;
  } catch {
    return false;
  }
}
