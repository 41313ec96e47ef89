// Patients' desk.

import { h, show } from "../dom.js";
import { say } from "../words.js";

export async function page(place) {
  show(place, h("h1", {}, say("患者服务台", "Patients' desk")));
}
