// A ring to walk: members and what ties them, each kind with a shape and letters of its own; a press or a key leads on.

import { h, s, show } from "./dom.js";
import { SHARED, figure, kindName, stateTag, times } from "./finding_words.js";
import { bundled, layOut } from "./ring_layout.js";
import { letterOf, named, sample, shape } from "./ring_shapes.js";
import { ringTable } from "./ring_table.js";
import { number, say, whole } from "./words.js";

const [DESK, PHONE, MARGIN] = [[860, 580], [380, 430], 30]; // px
const MOST_DRAWN = 400; // nodes; the table has all of them
const LABELS = 60; // with more nodes only the best tied have theirs, until one comes nearer
const [NEAREST, FARTHEST] = [8, 0.7];

function bestTied(nodes, edges) {
  if (nodes.length <= MOST_DRAWN) return { nodes, edges };
  const ties = nodes.map(() => 0);
  for (const { a, b } of edges) [ties[a], ties[b]] = [ties[a] + 1, ties[b] + 1];
  const kept = nodes.map((_, n) => n).sort((a, b) => ties[b] - ties[a] || a - b).slice(0, MOST_DRAWN).sort((a, b) => a - b);
  const place = new Map(kept.map((n, at) => [n, at]));
  return { nodes: kept.map((n) => nodes[n]), edges: edges.filter((edge) => place.has(edge.a) && place.has(edge.b)).map((edge) => ({ ...edge, a: place.get(edge.a), b: place.get(edge.b) })) };
}

// own: the finding whose page this is, so that a member does not lead to itself.
export function ringGraph(told, { own }) {
  const ring = { nodes: named(told.nodes), edges: told.edges };
  const part = h("div", { class: "ring-part" });
  const twin = bundled(ring.nodes, ring.edges);
  const canBundle = twin.nodes.length < ring.nodes.length;
  const draw = (bundle, focus) => {
    const found = bundle ? twin : ring;
    const drawn = bestTied(found.nodes, found.edges);
    show(part, graph({ nodes: drawn.nodes, edges: drawn.edges, left: found.nodes.length - drawn.nodes.length, own, bundle: canBundle ? { on: bundle, flip: () => draw(!bundle, true) } : null }));
    if (focus) part.querySelector("[data-bundle]").focus();
  };
  draw(canBundle);
  return h("div", {}, part, ringTable(ring));
}

function graph({ nodes, edges, left, own, bundle }) {
  const [width, height] = matchMedia("(max-width: 60rem)").matches ? PHONE : DESK;
  const near = nodes.map(() => []); // [{edge, line, to}], line: its number
  edges.forEach((edge, line) => {
    near[edge.a].push({ edge, line, to: edge.b });
    near[edge.b].push({ edge, line, to: edge.a });
  });
  const places = layOut(nodes.length, edges, (width - 2 * MARGIN) / (height - 2 * MARGIN)).map(([x, y]) => [MARGIN + x * (height - 2 * MARGIN), MARGIN + y * (height - 2 * MARGIN)]);
  const isMember = nodes.map(() => false);
  for (const { a } of edges) isMember[a] = true;
  const small = nodes.length > LABELS;
  const told = new Set(small ? [...nodes.keys()].sort((a, b) => isMember[b] - isMember[a] || near[b].length - near[a].length || a - b).slice(0, LABELS / 2) : nodes.keys());
  const heaviest = Math.max(...edges.map((edge) => edge.weight), 1e-9);
  const crowd = Math.min(1, 14 / Math.sqrt(edges.length || 1));
  const faint = (edge) => Math.max(0.12, crowd * Math.max(0.28, Math.min(0.9, 1.6 / Math.sqrt(near[edge.b].length))));

  const lines = edges.map((edge) =>
    s("line", {
      x1: places[edge.a][0].toFixed(1), y1: places[edge.a][1].toFixed(1), x2: places[edge.b][0].toFixed(1), y2: places[edge.b][1].toFixed(1),
      "stroke-width": (0.7 + (2.6 * Math.max(0, edge.weight)) / heaviest).toFixed(2),
      "stroke-opacity": faint(edge).toFixed(2),
      class: edge.bridge ? "tie bridge" : "tie",
    }),
  );
  const said = (n) => {
    const node = nodes[n];
    const more = [isMember[n] ? say(`连着 ${near[n].length} 样`, `tied by ${near[n].length}`) : say(`连着 ${near[n].length} 个成员`, `shared by ${near[n].length} members`)];
    if (near[n].some((one) => one.edge.bridge)) more.push(say("桥", "bridge"));
    return `${node.code} ${kindName(node.kind)} ${node.of ? say(`${node.of.length} 个`, `${node.of.length} of them`) : node.label}${say("，", ", ")}${more.join(say("，", ", "))}`;
  };
  const dots = nodes.map((node, n) => {
    const size = (isMember[n] ? 11 : 8) * Math.max(0.5, Math.min(1, 7.5 / Math.sqrt(nodes.length)));
    return s(
      "g",
      { class: `node${isMember[n] ? " member" : ""}${told.has(n) ? "" : " minor"}`, role: "button", tabindex: "-1", "data-n": n, "aria-label": said(n), "aria-pressed": "false" },
      s("circle", { r: size + 9, class: "reach" }),
      node.of ? s("g", { transform: "translate(3 -3)", class: "behind" }, shape(node.kind, size)) : null,
      shape(node.kind, size),
      s("text", { y: size + 13, "text-anchor": "middle", class: "code-label" }, node.code),
    );
  });

  // The view: scale and the point of the drawing in its upper left corner. Nodes keep their size on the screen, nearly.
  const view = { scale: 1, x: 0, y: 0 };
  const world = s("g", { class: "world" }, s("g", { class: "ties" }, lines), s("g", {}, dots));
  const picture = s("svg", { viewBox: `0 0 ${width} ${height}`, class: `ring-graph${small ? " small" : ""}`, role: "group", "aria-label": say("关系图", "Ring graph"), "aria-describedby": "ring-help" }, world);
  function lay() {
    view.x = Math.min(width - width / view.scale / 4, Math.max(-width / view.scale / 2, view.x));
    view.y = Math.min(height - height / view.scale / 4, Math.max(-height / view.scale / 2, view.y));
    world.setAttribute("transform", `translate(${(-view.x * view.scale).toFixed(2)} ${(-view.y * view.scale).toFixed(2)}) scale(${view.scale.toFixed(4)})`);
    const shrink = (view.scale ** -0.75).toFixed(4);
    dots.forEach((dot, n) => dot.setAttribute("transform", `translate(${places[n][0].toFixed(1)} ${places[n][1].toFixed(1)}) scale(${shrink})`));
    picture.classList.toggle("close", view.scale > 1.8);
    picture.classList.toggle("zoomed", view.scale > 1.01);
  }
  let frame = 0;
  const soon = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      lay();
    });
  };
  // by: factor; about: the point of the drawing's own box that stays where it is.
  function zoom(by, about = [width / 2, height / 2]) {
    const next = Math.min(NEAREST, Math.max(FARTHEST, view.scale * by));
    view.x += about[0] / view.scale - about[0] / next;
    view.y += about[1] / view.scale - about[1] / next;
    view.scale = next;
    soon();
  }
  function fit() {
    [view.scale, view.x, view.y] = [1, 0, 0];
    soon();
  }
  const inBox = (event) => {
    const box = picture.getBoundingClientRect();
    const scale = Math.min(box.width / width, box.height / height) || 1;
    return [(event.clientX - box.left - (box.width - scale * width) / 2) / scale, (event.clientY - box.top - (box.height - scale * height) / 2) / scale];
  };

  const panel = h("section", { class: "ring-panel", "aria-label": say("所选的节点", "The picked node") });
  let picked = null;
  let entry = Math.max(0, isMember.indexOf(true)); // where Tab comes in
  if (dots.length) dots[entry].setAttribute("tabindex", "0");
  const lit = [];
  function pick(n, { focus = false } = {}) {
    for (const one of lit.splice(0)) one.classList.remove("near", "picked");
    if (picked !== null) dots[picked].setAttribute("aria-pressed", "false");
    picked = n;
    picture.classList.toggle("walking", n !== null);
    if (n !== null) {
      dots[entry].setAttribute("tabindex", "-1");
      entry = n;
      dots[n].setAttribute("tabindex", "0");
      dots[n].setAttribute("aria-pressed", "true");
      const light = (element, name) => {
        element.classList.add(name);
        lit.push(element);
      };
      light(dots[n], "picked");
      for (const { line, to } of near[n]) {
        light(dots[to], "near");
        light(lines[line], "near");
      }
      reveal(n);
      if (focus) dots[n].focus({ preventScroll: true });
    }
    tell();
  }
  function reveal(n) {
    const [x, y] = places[n];
    const [wide, high] = [width / view.scale, height / view.scale];
    if (x < view.x + 10 || x > view.x + wide - 10) view.x = x - wide / 2;
    if (y < view.y + 10 || y > view.y + high - 10) view.y = y - high / 2;
    soon();
  }
  function tell() {
    if (picked === null) {
      const kinds = [...new Set(nodes.map((node) => node.kind))];
      const bridges = new Set(edges.filter((edge) => edge.bridge).map((edge) => edge.b)).size;
      show(
        panel,
        h("h3", {}, say("图里有什么", "What is drawn")),
        h("ul", { class: "kinds" }, kinds.map((kind) => h("li", {}, sample(kind), h("b", {}, `${letterOf(kind)} `), kindName(kind), h("span", { class: "soft" }, ` ${number(nodes.filter((node) => node.kind === kind).reduce((sum, node) => sum + (node.of ? node.of.length : 1), 0))}`)))),
        h("p", { class: "soft" }, say("线越粗，联系越重；许多人共用的，线变淡，因为它说明得少。", "The thicker a line, the heavier the tie. What many share is drawn fainter, for it says less.")),
        bridges ? h("p", { class: "soft" }, s("svg", { viewBox: "0 0 34 8", class: "dash", "aria-hidden": "true" }, s("line", { x1: 0, x2: 34, y1: 4, y2: 4, class: "tie bridge" })), say(`虚线通向桥（${bridges} 座）：没有它，群组就散开，所以先核查它。`, `Dashed lines lead to a bridge (${bridges}): without it the ring falls apart, so check it first.`)) : null,
        left ? h("p", { class: "note warn" }, say(`只画了联系最多的 ${nodes.length} 个，另有 ${left} 个只在表格里。`, `Only the ${nodes.length} best tied are drawn; ${left} more stand in the table alone.`)) : null,
      );
      return;
    }
    const node = nodes[picked];
    const ties = [...near[picked]].sort((one, two) => two.edge.weight - one.edge.weight || one.to - two.to);
    const first = ties.map((one) => one.edge.first_at).filter(Boolean).sort()[0];
    const last = ties.map((one) => one.edge.last_at).filter(Boolean).sort().at(-1);
    const shared = node.shared_by ?? (isMember[picked] ? null : ties.length);
    show(
      panel,
      h("p", { class: "panel-kind" }, sample(node.kind), h("b", {}, node.code), ` ${kindName(node.kind)}`, node.state ? [" ", stateTag(node.state)] : null),
      node.of
        ? [h("p", {}, say(`${node.of.length} 个，连着同样的成员，合为一个`, `${node.of.length} that tie the very same members, drawn as one`)), h("details", {}, h("summary", {}, say("逐个列出", "List them")), h("ul", { class: "ids" }, node.of.map((each) => h("li", { class: "code" }, each.label))))]
        : h("p", { class: "code big" }, node.label),
      h("p", { class: "soft" }, isMember[picked] ? say(`由 ${ties.length} 样东西与别的成员连在一起`, `tied to other members by ${ties.length} things`) : Object.hasOwn(SHARED, node.kind) ? say(...SHARED[node.kind]) : null),
      h("dl", {},
        shared === null ? null : [h("dt", {}, say("共用者", "Shared by")), h("dd", {}, say(`${number(shared)} 个${shared > ties.length ? `（其中 ${ties.length} 个在此团伙）` : ""}`, `${number(shared)}${shared > ties.length ? ` (${ties.length} of this ring)` : ""}`))],
        first ? [h("dt", {}, say("首次", "First")), h("dd", {}, whole(first)), h("dt", {}, say("末次", "Last")), h("dd", {}, whole(last))] : null),
      ties.some((one) => one.edge.bridge) && !isMember[picked] ? h("p", { class: "note warn" }, say("桥：没有它，群组就散成几个。先核查它是不是清白的共用（家人、单位）。", "A bridge: without it the ring falls apart. Check first whether it is honestly shared (family, workplace).")) : null,
      node.finding_id && node.finding_id !== own ? h("p", {}, h("a", { href: `/finding/${encodeURIComponent(node.finding_id)}` }, say("打开它自己的检测发现 →", "Open its own finding →"))) : null,
      h("h3", {}, isMember[picked] ? say("经由", "Tied by") : say("成员", "Members"), h("span", { class: "soft" }, ` ${ties.length}`)),
      h("ul", { class: "walk" }, ties.map(({ edge, to }) => h("li", {}, h("button", { class: "plain", onclick: () => pick(to, { focus: true }) }, sample(nodes[to].kind), h("b", {}, nodes[to].code), " ", nodes[to].of ? kindName(nodes[to].kind) : h("span", { class: "code" }, nodes[to].label)), h("small", { class: "soft" }, ` ${say("权重", "weight")} ${figure(edge.weight)}${edge.n ? ` · ${times(edge.n)}` : ""}${edge.bridge ? ` · ${say("桥", "bridge")}` : ""}`)))),
      h("button", { class: "plain", onclick: () => { const before = picked; pick(null); dots[before].focus({ preventScroll: true }); } }, say("取消选择", "Let go")),
    );
  }

  // The neighbour that lies where the arrow points; where none does, whoever else lies there.
  function toward(n, key) {
    const [ux, uy] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[key];
    const best = (candidates) => {
      let found = null;
      let least = Infinity;
      for (const m of candidates) {
        const [dx, dy] = [places[m][0] - places[n][0], places[m][1] - places[n][1]];
        const ahead = dx * ux + dy * uy;
        const aside = Math.abs(dx * uy) + Math.abs(dy * ux);
        if (m === n || ahead <= 0 || aside > 2 * ahead) continue;
        if (ahead + 2 * aside < least) [found, least] = [m, ahead + 2 * aside];
      }
      return found;
    };
    return best(near[n].map((one) => one.to)) ?? best(nodes.keys());
  }
  picture.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = Number(event.target.closest?.("[data-n]")?.dataset.n ?? entry);
    if (event.key.startsWith("Arrow")) pick(toward(at, event.key) ?? at, { focus: true });
    else if (event.key === "Enter" || event.key === " ") pick(at, { focus: true });
    else if (event.key === "Home") pick(Math.max(0, isMember.indexOf(true)), { focus: true });
    else if (event.key === "Escape") pick(null);
    else if (event.key === "+" || event.key === "=") zoom(1.3);
    else if (event.key === "-") zoom(1 / 1.3);
    else if (event.key === "0") fit();
    else return;
    event.preventDefault();
  });

  // Drag moves, two fingers zoom. The wheel zooms once the drawing is in use, and scrolls the page before.
  const fingers = new Map();
  let moved = 0;
  picture.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, inBox(event));
    moved = 0;
  });
  picture.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = inBox(event);
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
      zoom(apart(now) / apart(before), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
      moved += 10;
    } else {
      moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      if (moved > 5) {
        picture.setPointerCapture(event.pointerId);
        view.x -= (now[0] - before[0]) / view.scale;
        view.y -= (now[1] - before[1]) / view.scale;
        soon();
      }
    }
    fingers.set(event.pointerId, now);
  });
  const lift = (event) => fingers.delete(event.pointerId);
  picture.addEventListener("pointerup", lift);
  picture.addEventListener("pointercancel", lift);
  picture.addEventListener("pointerleave", lift);
  picture.addEventListener("click", (event) => {
    if (moved > 5) return;
    const dot = event.target.closest("[data-n]");
    pick(dot ? Number(dot.dataset.n) : null, { focus: Boolean(dot) });
  });
  picture.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !picture.contains(document.activeElement)) return;
      event.preventDefault();
      zoom(Math.exp(-event.deltaY * 0.0015), inBox(event));
    },
    { passive: false },
  );

  lay();
  tell();
  const tool = (words, title, act) => h("button", { class: "step tool", onclick: act, "aria-label": title, title }, words);
  return h(
    "div",
    { class: "ring" },
    h(
      "div",
      { class: "ring-stage" },
      h("div", { class: "ring-tools" }, tool("＋", say("放大", "Zoom in"), () => zoom(1.4)), tool("−", say("缩小", "Zoom out"), () => zoom(1 / 1.4)), tool("⤢", say("复原", "Fit"), fit), bundle ? h("button", { class: "step tool", "data-bundle": true, "aria-pressed": String(bundle.on), onclick: bundle.flip }, say("同样的合为一个", "Bundle those alike")) : null),
      picture,
      h("p", { class: "soft", id: "ring-help" }, say("点一个节点，或按 Tab 进入后用方向键沿着线走；＋ − 或滚轮缩放，0 复原，Esc 取消选择。", "Press a node, or Tab into the drawing and walk along the ties with the arrow keys; + − or the wheel zoom, 0 fits, Esc lets go.")),
    ),
    panel,
  );
}
