// The plan of one floor: the building's own drawing beneath, cameras, guards and a trail above it.

import { file, get } from "./api.js";
import { h, s } from "./dom.js";
import { guardMarks } from "./wall/guards.js";
import { clock, say } from "./words.js";

const LABELS_MOST = 3; // times at one camera; the list beside the plan has them all
const drawings = new Map();
let known = null;

async function drawing(building, floor) {
  known ||= get("/floor-plans").then((found) => new Set(found.plans.map((one) => `${one.building}\n${one.floor}`)));
  const key = `${building}\n${floor}`;
  if (!(await known).has(key)) return null;
  if (!drawings.has(key)) drawings.set(key, file("/floor-plan", { building, floor }).then((blob) => URL.createObjectURL(blob)));
  return drawings.get(key);
}

// Steps on this floor, numbered as in the whole trail; a line joins two that follow each other, and nothing else.
function way(trail, at) {
  const steps = trail.map((step, n) => ({ ...step, n })).filter((step) => at.has(step.camera_id));
  return steps.map((step, index) => `${index && steps[index - 1].n === step.n - 1 ? "L" : "M"}${1000 * at.get(step.camera_id).x} ${600 * at.get(step.camera_id).y}`).join("");
}

function times(trail, at) {
  const by = new Map();
  trail.forEach((step, n) => by.set(step.camera_id, [...(by.get(step.camera_id) || []), `${n + 1} · ${clock(step.at)}`]));
  return [...by].filter(([id]) => at.has(id)).flatMap(([id, words]) => {
    const { x, y } = at.get(id);
    const end = x > 0.8;
    return words.slice(-LABELS_MOST).map((one, up, shown) => s("text", { x: 1000 * x + (end ? -16 : 16), y: Math.max(22, 600 * y - 20 - 22 * (shown.length - 1 - up)), "text-anchor": end ? "end" : "start", class: "when" }, one));
  });
}

function mark(one, hot, how) {
  return s(
    "g",
    { transform: `translate(${1000 * one.x} ${600 * one.y})`, class: ["camera", how, hot ? "hot" : ""].filter(Boolean).join(" ") },
    hot ? s("circle", { r: 26, class: "ring" }) : null,
    s("circle", { r: 11 }),
    how === "out" ? s("path", { d: "M-6-6L6 6M6-6L-6 6", class: "cross" }) : null,
    s("text", { y: one.y > 0.93 ? -18 : 34, x: one.x < 0.08 ? -11 : one.x > 0.92 ? 11 : 0, "text-anchor": one.x < 0.08 ? "start" : one.x > 0.92 ? "end" : "middle" }, one.name),
  );
}

// cameras: [{camera_id, name, place_id, building, floor, x, y}]; hot: ids to point at; trail: [{camera_id, at}] in order;
// guards: [{name, place_id, busy, walking_s}]; health: id of a camera to well, warn, out or idle.
export async function plan({ building, floor, cameras, hot = new Set(), trail = [], ahead = [], guards = [], health = new Map() }) {
  const here = cameras.filter((one) => one.building === building && one.floor === floor);
  const at = new Map(here.map((one) => [one.camera_id, one]));
  const beneath = await drawing(building, floor);
  const line = way(trail, at);
  const drawn = h(
    "figure",
    { class: "plan" },
    h("figcaption", {}, `${building} ${floor}`, beneath ? null : h("small", { class: "soft" }, say(" 未上传平面图，仅示相对位置", " no drawing uploaded; positions only")), h("small", { class: "soft plan-hint" }, say(" ⇄ 可左右滑动", " ⇄ scrolls sideways"))),
    h(
      "div",
      { class: "plan-scroll", tabindex: "0", role: "group", "aria-label": say(`${floor} 平面图，可左右滑动`, `Plan of floor ${floor}, it scrolls sideways`) },
      s(
        "svg",
        { viewBox: "0 0 1000 600", role: "img", "aria-label": say(`${floor} 平面图`, `Plan of floor ${floor}`) },
        s("rect", { width: 1000, height: 600, class: "floor" }),
        beneath ? s("image", { href: beneath, width: 1000, height: 600, preserveAspectRatio: "none" }) : null,
        line ? s("path", { d: line, class: "trail" }) : null,
        here.map((one) => mark(one, hot.has(one.camera_id), health.get(one.camera_id))),
        guardMarks(guards, here),
        ahead.filter((one) => at.has(one.camera_id)).map((one) =>
          s("text", { x: 1000 * at.get(one.camera_id).x, y: 600 * at.get(one.camera_id).y + (at.get(one.camera_id).y > 0.88 ? -44 : 60), "text-anchor": "middle", class: "ahead" }, `${Math.round(100 * one.chance)} %`),
        ),
        times(trail, at),
      ),
    ),
  );
  const first = here.find((one) => hot.has(one.camera_id));
  if (first) requestAnimationFrame(() => showAt(drawn.querySelector(".plan-scroll"), first.x));
  return drawn;
}

// On a phone the plan is wider than the screen: begin where somebody has to look.
function showAt(scroller, x) {
  scroller.scrollLeft = x * scroller.scrollWidth - scroller.clientWidth / 2;
}
