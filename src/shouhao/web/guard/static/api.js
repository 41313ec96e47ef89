// Asks the console. Who is signed in is in a cookie that no script reads; writes show the token beside it.

import { isEnglish } from "./words.js";

const BASE = "/api/v1/staff";
const LONGEST_MS = 15000;

let csrf = "";

export class NoNetwork extends Error {}

export class Refused extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.code = error.code;
  }
}

async function ask(method, path, { body, headers = {}, blob = false } = {}) {
  const sent = { "Accept-Language": isEnglish() ? "en" : "zh", ...headers };
  if (method !== "GET") sent["X-CSRF-Token"] = csrf;
  if (body !== undefined) sent["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(BASE + path, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(LONGEST_MS),
    });
    if (answer.ok) {
      if (answer.status === 204) return null;
      return blob ? await answer.blob() : await answer.json();
    }
  } catch (error) {
    throw new NoNetwork(String(error));
  }
  if (answer.status >= 500 || answer.status === 429) throw new NoNetwork(String(answer.status));
  let error = { code: "unknown", message: String(answer.status) };
  try {
    error = (await answer.json()).error;
  } catch {
    // not from the console: a proxy on the way
    if (answer.status !== 401) throw new NoNetwork(String(answer.status));
  }
  throw new Refused(answer.status, error);
}

export async function session() {
  const found = await ask("GET", "/session");
  csrf = found.csrf_token;
  return found;
}

export async function signIn(login, password, code) {
  const found = await ask("POST", "/sign-in", { body: { login, password, code } });
  csrf = found.csrf_token;
  return found;
}

export const signOut = () => ask("DELETE", "/session");
export const post = () => ask("GET", "/guard/post");
export const dispatches = () => ask("GET", "/guard/dispatches");
export const wayOf = (id) => ask("GET", `/guard/dispatches/${encodeURIComponent(id)}/way`);
export const picture = (id, which) => ask("GET", `/guard/dispatches/${encodeURIComponent(id)}/pictures/${which}`, { blob: true });
export const planAddress = (id, building, floor) =>
  `${BASE}/guard/dispatches/${encodeURIComponent(id)}/plan?${new URLSearchParams({ building, floor })}`;

export const checkIn = (placeId) =>
  ask("PUT", "/guard/post", { body: { place_id: placeId }, headers: { "Idempotency-Key": crypto.randomUUID() } });

export function sendStep(step) {
  const headers = { "Idempotency-Key": step.key, "Shouhao-Sent-At": String(Date.now()) };
  const body = { step: step.step, reason: step.reason, outcome: step.outcome, said_at_ms: step.saidAtMs };
  return ask("POST", `/guard/dispatches/${encodeURIComponent(step.dispatchId)}/steps`, { body, headers });
}
