// Findings.

import { h, show } from "../dom.js";
import { say } from "../words.js";

export async function page(place) {
  show(place, h("h1", {}, say("检测发现", "Findings")));
}
