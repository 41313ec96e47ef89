// Places by name: asked for once a page, for everything that holds the id of one.

import { get } from "../api.js";

let asked = null;
let known = new Map();

// Map of id to {building, floor, name}; empty where they cannot be read, and then ids stand for names.
export async function places() {
  asked ||= get("/camera-places").then(
    (found) => (known = new Map(found.places.map((one) => [one.id, one]))),
    () => ((asked = null), known),
  );
  return asked;
}

export function placeName(id) {
  const one = known.get(id);
  return one ? `${one.floor} ${one.name}` : id;
}
