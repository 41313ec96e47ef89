// Tips.

import { h, show } from "../dom.js";
import { say } from "../words.js";

export async function page(place) {
  show(place, h("h1", {}, say("举报", "Tips")));
}
