// The plan of one floor: the building's own drawing beneath, cameras, guards and a trail above it.

import { file, get } from "./api.js";
import { h, s } from "./dom.js";
import { clock, say } from "./words.js";

const drawings = new Map();
let known = null;

async function drawing(building, floor) {
  known ||= get("/floor-plans").then((found) => new Set(found.plans.map((one) => `${one.building}\n${one.floor}`)));
  const key = `${building}\n${floor}`;
  if (!(await known).has(key)) return null;
  if (!drawings.has(key)) drawings.set(key, file("/floor-plan", { building, floor }).then((blob) => URL.createObjectURL(blob)));
  return drawings.get(key);
}

// cameras: [{camera_id, name, building, floor, x, y}]; hot: ids to point at; trail: [{camera_id, at}] in order.
export async function plan({ building, floor, cameras, hot = new Set(), trail = [], ahead = [] }) {
  const here = cameras.filter((one) => one.building === building && one.floor === floor);
  const at = new Map(here.map((one) => [one.camera_id, one]));
  const beneath = await drawing(building, floor);
  const steps = trail.filter((step) => at.has(step.camera_id));
  const way = steps.map((step, n) => `${n ? "L" : "M"}${1000 * at.get(step.camera_id).x} ${600 * at.get(step.camera_id).y}`).join("");
  return h(
    "figure",
    { class: "plan" },
    h("figcaption", {}, `${building} ${floor}`, beneath ? null : h("small", { class: "soft" }, say(" 未上传平面图，仅示相对位置", " no drawing uploaded; positions only"))),
    s(
      "svg",
      { viewBox: "0 0 1000 600", role: "img", "aria-label": say(`${floor} 平面图`, `Plan of floor ${floor}`) },
      s("rect", { width: 1000, height: 600, class: "floor" }),
      beneath ? s("image", { href: beneath, width: 1000, height: 600, preserveAspectRatio: "none" }) : null,
      way ? s("path", { d: way, class: "trail" }) : null,
      here.map((one) =>
        s(
          "g",
          { transform: `translate(${1000 * one.x} ${600 * one.y})`, class: hot.has(one.camera_id) ? "camera hot" : "camera" },
          hot.has(one.camera_id) ? s("circle", { r: 26, class: "ring" }) : null,
          s("circle", { r: 11 }),
          s("text", { y: 34, "text-anchor": "middle" }, one.name),
        ),
      ),
      ahead.filter((one) => at.has(one.camera_id)).map((one) =>
        s("text", { x: 1000 * at.get(one.camera_id).x, y: 600 * at.get(one.camera_id).y - 18, "text-anchor": "middle", class: "ahead" }, `${Math.round(100 * one.chance)} %`),
      ),
      steps.map((step, n) =>
        s("text", { x: 1000 * at.get(step.camera_id).x + 16, y: 600 * at.get(step.camera_id).y - 8, class: "when" }, `${n + 1} · ${clock(step.at)}`),
      ),
    ),
  );
}
