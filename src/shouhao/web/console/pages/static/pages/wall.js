// The wall: alarms as they happen, the one that is worked on; while none is, the floors; and the handing over of shifts.

import { get } from "../api.js";
import { HEALTH, STATES, TARGETS } from "../alarm_words.js";
import { alarmCard } from "../alarm_card.js";
import { h, refusal, show } from "../dom.js";
import { listen } from "../live.js";
import { bell } from "../wall/bell.js";
import { floorsView } from "../wall/floors.js";
import { placeName, places } from "../wall/places.js";
import { waitingBanner } from "../wall/waiting.js";
import { clock, lasting, pair, running, say } from "../words.js";

const CLOSED = new Set(["closed"]);
const QUIET = new Set(["rejected", "outcome", "handed_to_police", "closed"]);
const LOOK_EVERY_MS = 20000; // at cameras, guards and handovers, which tell nothing by themselves

export async function page(place, { who }) {
  const alarms = new Map();
  let chosen = null;
  let card = null;
  let opening = 0;
  let view = "floors"; // or alarm, or handover; a new alarm leads away from the floors and never from a note being written
  let settled = false; // whether somebody chose what is shown
  const sound = bell();
  await places();
  const queue = h("ol", { class: "queue", "aria-label": say("报警", "Alarms") });
  const work = h("section", { class: "work", "aria-live": "polite" });
  const state = h("p", { class: "live", role: "status" }, say("正在连接…", "Connecting…"));
  const strip = h("section", { class: "strip" });
  const ring = h("button", { class: "plain", onclick: () => { sound.switch(); tellSound(); } }, "");
  const tellSound = () => show(ring, sound.on() ? say("声音：开", "Sound: on") : say("声音：关", "Sound: off"));
  tellSound();
  const floors = floorsView();
  const banner = waitingBanner(who.operator, () => handover());
  let shift = null; // the desk of handovers, once somebody opened it
  const over = h("button", { class: "plain", onclick: () => { settled = true; overview(); } }, say("总览", "Overview"));
  const hand = h("button", { class: "plain", onclick: () => handover() }, say("交接班", "Hand over"));
  show(place, banner.element, h("div", { class: "wall" }, h("aside", {}, h("div", { class: "wall-bar" }, state, over, ring, hand), queue), work), strip);

  const live = listen({
    onalarm({ alarm }) {
      const before = alarms.get(alarm.alarm_id);
      if (before && before.version > alarm.version) return;
      if (CLOSED.has(alarm.state)) alarms.delete(alarm.alarm_id);
      else alarms.set(alarm.alarm_id, alarm);
      const fresh = !before && alarm.state === "raised"; // raised while the line was lost, too
      if (fresh) sound.ring();
      if (view === "floors" && !before && (fresh || (!settled && !QUIET.has(alarm.state)))) choose(alarm.alarm_id);
      else if (chosen === alarm.alarm_id && isNews(alarm)) open();
      list();
    },
    onstate(next) {
      state.className = `live ${next}`;
      show(state, next === "live" ? say("● 实时", "● Live") : say("○ 连接中断，正在重连；下面可能不是最新", "○ The line is lost and is coming back; what you see may be old"));
    },
  });

  // What is on the screen already is not drawn again, and another sighting does not take away what somebody is typing.
  function isNews(alarm) {
    if (!card || card.alarm.alarm_id !== alarm.alarm_id) return false; // it is being opened
    if (card.alarm.version !== alarm.version) return true;
    return card.alarm.sightings !== alarm.sightings && !card.busy();
  }
  const order = (one) => [QUIET.has(one.state) ? 1 : 0, one.late ? 1 : 0, -Date.parse(one.raised_at)];
  function sorted() {
    return [...alarms.values()].sort((a, b) => {
      const [left, right] = [order(a), order(b)];
      return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
    });
  }
  function list() {
    const now = live.now();
    const rows = sorted().map((one) => {
      const next = one.clocks.filter((each) => !each.done).sort((a, b) => Date.parse(a.due) - Date.parse(b.due))[0];
      const left = next ? (Date.parse(next.due) - now) / 1000 : null;
      return h(
        "li",
        {},
        h(
          "button",
          { class: `alarm-row${one.alarm_id === chosen ? " chosen" : ""}${QUIET.has(one.state) ? " quiet" : ""}${one.state === "raised" ? " new" : ""}`, onclick: () => choose(one.alarm_id), "aria-current": one.alarm_id === chosen ? "true" : null },
          h("b", {}, placeName(one.place_id)),
          h("span", { class: `tag state-${one.state}` }, pair(STATES[one.state])),
          h("span", { class: "soft" }, clock(one.last_seen_at), " · ", one.best.similarity.toFixed(2)),
          next ? h("span", { class: left < 0 ? "left late" : "left" }, `${pair(TARGETS[next.target])} ${running(left)}`) : null,
        ),
      );
    });
    show(queue, rows.length ? rows : h("li", { class: "empty" }, say("没有未处理的报警。新报警会自动出现在这里并响铃。", "Nothing waits. A new alarm comes up here by itself and rings.")));
  }
  function choose(alarmId) {
    view = "alarm";
    chosen = alarmId;
    open();
    list();
  }
  async function open() {
    const mine = ++opening;
    if (card && card.alarm.alarm_id !== chosen) card = null;
    const into = h("div", {});
    try {
      const opened = await alarmCard(into, chosen, { now: live.now, onchange: () => open() });
      if (mine !== opening) return;
      card = opened;
      show(work, into);
      const newest = alarms.get(chosen);
      if (newest && newest.version > card.alarm.version) open(); // it changed while it was read
    } catch (error) {
      if (mine === opening) show(work, refusal(error));
    }
  }
  async function cameras() {
    try {
      const found = (await get("/cameras")).cameras.filter((one) => one.state === "live");
      const bad = found.filter((one) => one.health !== "online");
      show(
        strip,
        h("h2", {}, say("摄像机", "Cameras")),
        h("p", {}, say(`在用 ${found.length} 台，正常 ${found.length - bad.length} 台`, `${found.length} in service, ${found.length - bad.length} well`), found.length ? "" : say("。还没有启用摄像机。", ". None is in service yet.")),
        bad.length ? h("ul", { class: "chips" }, bad.map((one) => h("li", { class: "tag bad" }, `${one.name} ${pair(HEALTH[one.health]) || one.health}${one.heard_at ? ` · ${lasting((live.now() - Date.parse(one.heard_at)) / 1000)}${say("前", " ago")}` : ""}`))) : null,
      );
    } catch (error) {
      show(strip, error.status === 403 ? null : refusal(error));
    }
  }
  function leave(next) {
    view = next;
    chosen = null;
    card = null;
    opening += 1; // what is still being opened comes too late
    list();
  }
  function overview() {
    leave("floors");
    show(work, h("p", { class: "soft" }, say("选一条报警，或按 j、k 上下移动，按数字键办理。新报警会自动出现。", "Choose an alarm, or move with j and k and act with the number keys. A new alarm comes up by itself.")), floors.element);
    return floors.refresh();
  }
  async function handover() {
    leave("handover");
    const { handoverDesk } = await import("../wall/handover.js");
    shift ||= handoverDesk({ operator: who.operator, onchange: async () => { await handovers(); await handover(); }, alarms: () => [...alarms.values()] });
    if (view !== "handover") return; // somebody went on meanwhile
    show(work, shift.element);
    await shift.open();
  }
  async function handovers() {
    const found = await get("/shift-handovers").catch(() => null); // the next look tells again
    if (found) banner.tell(found);
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (/^[1-9]$/.test(event.key) && card) card.press(event.key);
    if (event.key === "j" || event.key === "k") {
      const ids = sorted().map((one) => one.alarm_id);
      const at = Math.max(0, ids.indexOf(chosen));
      const next = ids[Math.min(ids.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)))];
      if (next) choose(next);
    }
  });
  setInterval(() => {
    if (card) card.tick(live.now());
    list();
  }, 1000);
  setInterval(() => {
    cameras();
    handovers();
    if (view === "floors") floors.refresh();
    if (card) card.refresh();
  }, LOOK_EVERY_MS);
  list();
  await Promise.all([view === "floors" ? overview() : null, cameras(), handovers()]);
}
