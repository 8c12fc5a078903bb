// What the player asks of the shop.

/** A play could not be had: `status` is the answer's, 0 where there was none. */
export class PlayError extends Error {
  constructor(status) {
    super(`play refused: ${status}`);
    this.kind = "network";
    this.status = status;
  }
}

/** Asks for a play session; resolves to what POST /play/<track> answers. */
export async function requestPlay(trackId, token) {
  let answer;
  try {
    answer = await fetch(`/play/${encodeURIComponent(trackId)}`, {
      method: "POST",
      headers: { Accept: "application/json", "X-CSRFToken": token },
    });
  } catch {
    throw new PlayError(0);
  }
  if (!answer.ok) throw new PlayError(answer.status);
  return answer.json();
}

/** Says how far the listening came: {position_ms, played_ms, ended, skipped}. It may be lost; the next one says more. */
export function reportProgress(session, progress, token) {
  tell(`/plays/${encodeURIComponent(session)}/progress`, progress, token);
}

/** Says that the preview of a track was heard. */
export function reportPreview(trackId, token) {
  tell(`/tracks/${encodeURIComponent(trackId)}/previewed`, {}, token);
}

function tell(address, said, token) {
  fetch(address, {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": token },
    body: JSON.stringify(said),
    keepalive: true,
  }).catch(() => {});
}
