// Visible: text from outside, shown so that nothing in it hides, moves or overwrites what stands beside it.
//
// Whoever sends a request writes the log line: escapes, bidi overrides that turn a path around, letters of no width. Each
// is shown as what it is and marked, so that a real one can be told from one that an attacker spelt out.

import { h } from "./dom.js";

const CONTROLS = "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(" ");
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?![ \u3000])\p{Zs}|[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]/gu;

function called(char) {
  const code = char.codePointAt(0);
  if (code < 0x20) return CONTROLS[code];
  if (code === 0x7f) return "DEL";
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16).toUpperCase()}`;
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

// The text in pieces: what can be seen as it is, what cannot by its name in a <mark>.
export function visible(text) {
  const shown = [];
  let from = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (found.index > from) shown.push(text.slice(from, found.index));
    shown.push(h("mark", {}, `‹${called(found[0])}›`));
    from = found.index + found[0].length;
  }
  if (from < text.length) shown.push(text.slice(from));
  return shown;
}
