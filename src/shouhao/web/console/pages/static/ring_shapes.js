// What the kinds in a ring look like: a shape and letters for each, so that nothing is told by colour alone.

import { s } from "./dom.js";

// corners and turn from the top; none is a circle.
const CORNERS = { device: [4, 0.125], payer: [4, 0], phone: [3, 0], ip: [6, 0], prefix: [6, 0.083], patient: [5, 0], face: [3, 0.5], frame: [3, 0.5], session_token: [8, 0.0625], staff: [5, 0.5], cohort: [8, 0.0625], hand_over: [4, 0] };
const LETTERS = { account: "A", device: "D", payer: "P", phone: "T", ip: "N", prefix: "N", patient: "J", face: "F", frame: "F", staff: "S", cohort: "B", hand_over: "H", session_token: "L" };

export const letterOf = (kind) => (Object.hasOwn(LETTERS, kind) ? LETTERS[kind] : "X");

export function shape(kind, size) {
  if (!Object.hasOwn(CORNERS, kind)) return s("circle", { r: size, class: `shape k-${letterOf(kind) === "X" ? "other" : kind}` });
  const [corners, turned] = CORNERS[kind];
  const points = Array.from({ length: corners }, (_, n) => {
    const angle = 2 * Math.PI * (n / corners + turned);
    return `${(1.15 * size * Math.sin(angle)).toFixed(1)},${(-1.15 * size * Math.cos(angle)).toFixed(1)}`;
  });
  return s("polygon", { points: points.join(" "), class: `shape k-${kind}` });
}

export const sample = (kind) => s("svg", { viewBox: "-10 -10 20 20", class: "sample", "aria-hidden": "true" }, shape(kind, 7));

// Each node with a short name: letters of its kind and a number, as A1, N3.
export function named(nodes) {
  const counts = {};
  return nodes.map((node) => {
    const letter = letterOf(node.kind);
    counts[letter] = (counts[letter] || 0) + 1;
    return { ...node, code: `${letter}${counts[letter]}` };
  });
}
