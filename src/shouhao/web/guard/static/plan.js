// The way there on the plans of the floors: cameras are points, the way is a line from post to where somebody was seen.

import { h, svg } from "./draw.js";
import { planAddress } from "./api.js";
import { say } from "./words.js";

const MARGIN = 40;

export function drawWay(dispatchId, way) {
  const walking = way.walking_s === null ? say("way_unknown") : say("way_min", { n: Math.max(1, Math.round(way.walking_s / 60)) });
  return h("section", { class: "card" },
    h("h2", {}, say("way"), h("span", { class: "soft right" }, walking)),
    way.floors.map((floor, number) => drawFloor(dispatchId, floor, number)));
}

function drawFloor(dispatchId, floor, number) {
  const { width, height } = floor;
  const size = Math.max(width, height);
  const unit = size / 100;
  const at = (x, y) => [x * width, y * height];
  const line = floor.way.map(([x, y]) => at(x, y).join(",")).join(" ");
  const name = `${floor.building} ${floor.floor}`;
  return h("figure", { class: "floor" },
    h("figcaption", {}, say(number === 0 ? "floor_first" : "floor_then", { floor: name })),
    svg("svg", { viewBox: `${-MARGIN} ${-MARGIN} ${width + 2 * MARGIN} ${height + 2 * MARGIN}`, role: "img", "aria-label": name },
      svg("rect", { x: 0, y: 0, width, height, class: "ground" }),
      floor.has_plan && svg("image", { href: planAddress(dispatchId, floor.building, floor.floor), x: 0, y: 0, width, height }),
      floor.way.length > 1 && svg("polyline", { points: line, class: "way-under", "stroke-width": 3.4 * unit }),
      floor.way.length > 1 && svg("polyline", { points: line, class: "way", "stroke-width": 1.6 * unit }),
      floor.cameras.map((camera) => drawCamera(camera, at(camera.x, camera.y), unit, width))));
}

function drawCamera(camera, [x, y], unit, width) {
  const kind = camera.target ? "target" : camera.here ? "here" : "camera";
  const right = x > width * 0.62;
  const words = camera.target ? `${camera.name}（${say("way_target")}）` : camera.here ? `${camera.name}（${say("way_here")}）` : camera.name;
  return svg("g", { class: kind },
    camera.target && svg("circle", { cx: x, cy: y, r: 4.2 * unit, class: "ring", "stroke-width": unit }),
    svg("circle", { cx: x, cy: y, r: (kind === "camera" ? 1.3 : 2.2) * unit }),
    svg("text", { x: x + (right ? -5 : 5) * unit, y: y + 1.2 * unit, "font-size": 3.8 * unit, "text-anchor": right ? "end" : "start" }, words));
}
