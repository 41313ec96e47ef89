// The staff's API: with the session's cookie, a token for writes, a key that lets a retry act once, and one shape of error.

import { documentLanguage } from "./words.js";

const AT = "/api/v1/staff";
let csrf = "";

export class Refusal extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.field = error.field;
    this.requestId = error.request_id;
  }
}

// Random numbers that a page has over plain HTTP too, where crypto.randomUUID is kept from it.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `co_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

async function ask(method, path, { body, key, query, raw, language, headers: more } = {}) {
  const headers = { "accept-language": language || documentLanguage(), ...more };
  if (method !== "GET") {
    headers["x-csrf-token"] = csrf;
    headers["idempotency-key"] = key || newKey();
  }
  let content;
  if (raw) [content, headers["content-type"]] = [raw, raw.type || "application/octet-stream"];
  else if (body !== undefined) [content, headers["content-type"]] = [JSON.stringify(body), "application/json"];
  const given = Object.entries(query || {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const asked = given.length ? `?${new URLSearchParams(given)}` : "";
  let said;
  try {
    said = await fetch(AT + path + asked, { method, headers, body: content, credentials: "same-origin", cache: "no-store" });
  } catch {
    const message = documentLanguage() === "en" ? "The server cannot be reached" : "无法连接服务器";
    throw new Refusal(0, { code: "unreachable", message, field: null, request_id: "" });
  }
  if (said.ok) return said;
  const told = await said.json().catch(() => null);
  const plain = { code: "internal", message: `HTTP ${said.status}`, field: null, request_id: said.headers.get("x-request-id") };
  throw new Refusal(said.status, told && told.error ? told.error : plain);
}

const json = async (said) => (said.status === 204 ? null : said.json());

export const get = async (path, query) => json(await ask("GET", path, { query }));
export const send = async (method, path, body, more) => json(await ask(method, path, { body, ...more }));
export const post = (path, body, more) => send("POST", path, body, more);
export const file = async (path, query) => (await ask("GET", path, { query })).blob();

// Who is signed in, or null.
export async function session() {
  try {
    const found = await get("/session");
    csrf = found.csrf_token;
    return found;
  } catch (error) {
    if (error.status === 401) return null;
    throw error;
  }
}
export function believe(made) {
  csrf = made.csrf_token;
  return made;
}
