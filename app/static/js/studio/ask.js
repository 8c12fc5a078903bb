// Requests to the shop itself, and whether it is worth asking again when one fails.

import { csrfToken } from "../main.js";

/** The shop or the store said no; asking again would change nothing. */
export class Refusal extends Error {}

/** The page's session has ended. */
export class SignedOut extends Error {}

export function headers() {
  return { "X-CSRFToken": csrfToken(), Accept: "application/json" };
}

/** A JSON request; returns the Response. Throws Refusal, SignedOut, or an Error for what may pass by itself. */
export async function ask(method, url, body) {
  const answer = await fetch(url, {
    method,
    headers: body ? { ...headers(), "Content-Type": "application/json" } : headers(),
    body: body && JSON.stringify(body),
  });
  if (answer.redirected) throw new SignedOut();
  if (answer.status >= 500 || answer.status === 429) throw new Error(`status ${answer.status}`);
  if (!answer.ok) throw new Refusal(await complaint(answer));
  return answer;
}

async function complaint(answer) {
  try {
    return (await answer.json()).error ?? "";
  } catch {
    return "";
  }
}
