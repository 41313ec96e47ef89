// One alarm as it is worked on: both faces side by side, how alike against what was asked, its clocks, the next steps.

import { get, post } from "./api.js";
import { GROUNDS, OUTCOMES, STATES, STEPS, TARGETS } from "./alarm_words.js";
import { field, form, h, refusal, show } from "./dom.js";
import { plan } from "./plan.js";
import { against } from "./plot.js";
import { guardList } from "./wall/guards.js";
import { placeName, places } from "./wall/places.js";
import { clock, lasting, pair, percent, running, say, whole } from "./words.js";

// Trails that were opened, by alarm: followed on under the look that stands in the register, for as long as that lasts.
const looks = new Map();

const picture = (alarm, which, words, kind = "face") => {
  const address = `/api/v1/staff/alarms/${encodeURIComponent(alarm.alarm_id)}/pictures/${which}?v=${alarm.sightings}`;
  const missing = (event) => event.target.replaceWith(h("p", { class: "missing" }, say("没有照片，或您无权查看", "no picture, or not yours to see")));
  return h("figure", { class: kind }, h("img", { src: address, alt: words, onerror: missing }), h("figcaption", {}, words));
};

// Running clocks against their targets; the page's one timer calls what this gives back.
export function clocks(alarm) {
  const cells = alarm.clocks.map((one) => {
    const value = h("b", {}, "");
    const cell = h("li", { class: "clock-cell" }, h("span", {}, pair(TARGETS[one.target])), value);
    return { one, value, cell };
  });
  const tick = (now) => {
    for (const { one, value, cell } of cells) {
      const end = one.done ? Date.parse(one.done) : now;
      const left = (Date.parse(one.due) - end) / 1000;
      value.textContent = one.done ? lasting((end - Date.parse(one.since)) / 1000) : running(left);
      cell.className = `clock-cell ${one.done ? "done" : "runs"}${left < 0 ? " late" : left < 60 && !one.done ? " near" : ""}`;
    }
  };
  return { element: h("ul", { class: "clocks" }, cells.map((one) => one.cell)), tick };
}

const reasonBox = (required) => h("textarea", { name: "reason", rows: "2", maxlength: "500", required });

function stepForm(detail, step, done) {
  const { alarm, guards } = detail;
  const take = async (fields) =>
    done(
      await post(`/alarms/${encodeURIComponent(alarm.alarm_id)}/steps`, {
        step,
        version: alarm.version,
        reason: fields.reason || "",
        outcome: fields.outcome || null,
        guard_id: fields.guard_id || null,
      }),
    );
  if (step === "rejected")
    return form({ class: "card" }, take, field(say("为什么不是", "Why not"), reasonBox(true)), h("button", { class: "go" }, say("驳回", "Reject")));
  if (step === "dispatched")
    return form(
      { class: "card" },
      take,
      h("p", { class: "soft" }, say("按步行时间由近到远", "Nearest first, by walking time")),
      guards.length
        ? guards.map((guard, n) =>
            h(
              "label",
              { class: "pick" },
              h("input", { type: "radio", name: "guard_id", value: guard.guard_id, checked: n === 0, disabled: guard.busy, required: true }),
              h("span", {}, guard.name, h("small", {}, ` ${placeName(guard.place_id)} · ${guard.busy ? say("正在处警", "busy") : guard.walking_s === null ? say("步行时间未知", "distance unknown") : say(`约 ${lasting(guard.walking_s)}`, `about ${lasting(guard.walking_s)}`)}`)),
            ),
          )
        : h("p", { class: "note warn" }, say("没有在岗保安：请电话通知，再由保卫处代记。", "No guard is on duty: call, and let the security office record it.")),
      detail.alarm.state === "confirmed" ? null : field(say("为什么改派", "Why another"), reasonBox(true)),
      h("button", { class: "go", disabled: !guards.length }, say("派出", "Send")),
    );
  if (step === "outcome")
    return form(
      { class: "card" },
      take,
      Object.entries(OUTCOMES).map(([code, words], n) =>
        h("label", { class: "pick" }, h("input", { type: "radio", name: "outcome", value: code, required: true, checked: n === 0 }), h("span", {}, pair(words))),
      ),
      field(say("说明（代记须填写）", "Note (needed when recorded for a guard)"), reasonBox(false)),
      h("button", { class: "go" }, say("记录", "Record")),
    );
  const needed = ["declined", "accepted", "arrived"].includes(step);
  return form({ class: "card" }, take, field(needed ? say("为什么代记", "Why for them") : say("说明（可不填）", "Note (may be empty)"), reasonBox(needed)), h("button", { class: "go" }, pair(STEPS[step])));
}

// What leads on comes first; calling it off comes last, where no finger lands by habit.
const ORDER = ["acknowledged", "confirmed", "accepted", "arrived", "outcome", "handed_to_police", "closed", "dispatched", "declined", "rejected"];
const FIRST = { confirmed: "dispatched" };
function inOrder(steps, state) {
  return [...steps].sort((a, b) => (b === FIRST[state]) - (a === FIRST[state]) || ORDER.indexOf(a) - ORDER.indexOf(b));
}

// While a guard may still go or is at it.
const OPEN = new Set(["raised", "acknowledged", "confirmed", "dispatched", "accepted", "arrived"]);

// Steps that need nothing more than a key.
const PLAIN = new Set(["acknowledged", "confirmed"]);

export async function alarmCard(place, alarmId, { onchange, now }) {
  const [detail] = await Promise.all([get(`/alarms/${encodeURIComponent(alarmId)}`), places()]);
  const { alarm, entry, history, cameras, escalations, sightings } = detail;
  const { best } = alarm;
  const camera = cameras.find((one) => one.camera_id === alarm.last_camera_id);
  const running = clocks(alarm);
  const asking = h("div", { class: "asking" });
  const take = async (step) => {
    if (!PLAIN.has(step)) {
      show(asking, stepForm(detail, step, onchange));
      asking.querySelector("input, textarea, button").focus();
      return;
    }
    try {
      onchange(await post(`/alarms/${encodeURIComponent(alarmId)}/steps`, { step, version: alarm.version }));
    } catch (error) {
      show(asking, refusal(error));
      if (error.code === "watch.alarm_changed") onchange(alarm);
    }
  };
  const buttons = inOrder(alarm.steps, alarm.state).map((step, n) =>
    h("button", { class: n ? "step" : "step first", onclick: () => take(step), "data-key": n + 1 }, h("kbd", {}, n + 1), pair(STEPS[step])),
  );
  const trail = trailView(detail);
  await trail.draw();
  show(
    place,
    h(
      "div",
      { class: "alarm-head" },
      h("h2", {}, camera ? `${camera.building} ${camera.floor} ${camera.name}` : alarm.last_camera_id, " ", h("span", { class: `tag state-${alarm.state}` }, pair(STATES[alarm.state]))),
      h("p", { class: "soft" }, say("最后出现 ", "last seen "), clock(alarm.last_seen_at), " · ", say(`${alarm.sightings} 次抓拍`, `${alarm.sightings} sightings`), " · ", h("span", { class: "code" }, alarm.alarm_id)),
    ),
    alarm.late ? h("p", { class: "note warn" }, say("迟到的抓拍：人多半已不在，不需派人。", "This came late: nobody is there any more, and nobody need go.")) : null,
    escalations.length ? h("p", { class: "note bad" }, say("已超时：", "Late: "), escalations.map((one) => pair(TARGETS[one.target])).join(say("、", ", "))) : null,
    running.element,
    h(
      "div",
      { class: "faces" },
      h("div", { class: "pair" }, best.has_crop ? picture(alarm, "crop", say(`抓拍 ${clock(best.seen_at)}`, `captured ${clock(best.seen_at)}`)) : h("p", { class: "empty" }, say("没有抓拍图", "no capture")),
      picture(alarm, "listed", say("名单照片", "on the list"))),
    h(
      "div",
      { class: "likeness" },
      against({ value: best.similarity, threshold: best.threshold, words: say(`相似度 ${best.similarity}，阈值 ${best.threshold}`, `similarity ${best.similarity}, threshold ${best.threshold}`) }),
      h("p", {}, h("b", {}, best.similarity.toFixed(3)), say(` 相似度，阈值 ${best.threshold.toFixed(3)}`, ` similarity, threshold ${best.threshold.toFixed(3)}`), h("small", { class: "soft" }, say(` · 质量 ${percent(best.quality)} · ${best.frames} 帧 · 模型 ${best.pack}`, ` · quality ${percent(best.quality)} · ${best.frames} frames · ${best.pack}`))),
      h("p", { class: "soft" }, say("机器只提示相像；是不是本人，由您看图判断。", "The machine points at a likeness. Whether it is the person is for you to see.")),
    h("div", { class: "steps" }, buttons.length ? buttons : h("p", { class: "soft" }, say("此刻没有由您办理的步骤。", "There is no step for you now."))),
    asking)),
    entry
      ? h(
          "details",
          { open: true },
          h("summary", {}, say("名单", "The list")),
          h("dl", {}, h("dt", {}, say("名单", "List")), h("dd", {}, entry.list_name), h("dt", {}, say("依据", "Ground")), h("dd", {}, pair(GROUNDS[entry.ground]) || entry.ground), h("dt", {}, say("到期", "Ends")), h("dd", {}, whole(entry.expires_at))),
          h("p", {}, say("以前的结果：", "Earlier: "), entry.outcomes.length ? entry.outcomes.map((one) => `${pair(OUTCOMES[one.outcome]) || one.outcome}（${whole(one.raised_at)}）`).join(say("；", "; ")) : say("无", "none")),
        )
      : null,
    h("div", { class: "around" }, best.has_scene ? picture(alarm, "scene", say("现场", "scene"), "scene") : null,
    trail.floor),
    trail.element,
    trail.button,
    h("a", { class: "plain", href: `/api/v1/staff/alarms/${encodeURIComponent(alarmId)}/timeline`, target: "_blank", rel: "noopener" }, say("导出时间线", "Export the timeline")),
    h(
      "details",
      {},
      h("summary", {}, say("经过", "History")),
      h("ol", { class: "line" }, history.map((row) => h("li", {}, h("b", {}, clock(row.at)), ` ${pair(STEPS[row.step]) || pair(STATES[row.state])}`, row.outcome ? `：${pair(OUTCOMES[row.outcome])}` : "", h("span", { class: "soft" }, ` ${row.by_name || row.by || say("系统", "system")}${row.reason ? ` · ${row.reason}` : ""}`)))),
      h("p", { class: "soft" }, say("抓拍：", "Sightings: "), sightings.map((one) => `${clock(one.seen_at)} ${one.camera_id} ${one.similarity.toFixed(2)}`).join(say("；", "; "))),
    ),
  );
  running.tick(now());
  return { tick: running.tick, press: (key) => buttons.find((button) => button.dataset.key === key)?.click(), busy: () => asking.childElementCount > 0, refresh: trail.refresh, alarm };
}

// The plan of the alarm's floor with its guards, and the trail once somebody opened it; that is on record.
function trailView({ alarm, cameras, guards }) {
  const named = new Map(cameras.map((one) => [one.camera_id, one]));
  const camera = named.get(alarm.last_camera_id);
  const floor = h("div", { class: "alarm-floor" });
  const element = h("div", { class: "alarm-trail" });
  const button = h("button", { class: "plain", onclick: () => draw({ asked: true }) }, say("看轨迹（留痕）", "Show the trail (on record)"));
  let standing = guards;

  async function read(asked) {
    const address = `/alarms/${encodeURIComponent(alarm.alarm_id)}/trail`;
    const look = looks.get(alarm.alarm_id);
    if (!asked && !look) return null;
    const found = await get(address, asked ? { reason: say("处置报警", "answering the alarm") } : { look });
    looks.set(alarm.alarm_id, found.look_id);
    return found;
  }
  async function draw({ asked = false } = {}) {
    let found = null;
    try {
      found = await read(asked);
      show(element, found ? await trailWords(found, { camera, cameras, named }) : null);
    } catch (error) {
      looks.delete(alarm.alarm_id); // the look is over, or this trail is closed; asking again is a look of its own
      show(element, asked ? refusal(error) : null);
    }
    button.hidden = found !== null;
    if (!camera) return;
    show(
      floor,
      await plan({ building: camera.building, floor: camera.floor, cameras, guards: standing, hot: new Set([found?.last?.camera_id, alarm.last_camera_id]), ...(found ? lines(found) : {}) }),
      OPEN.has(alarm.state) ? [h("h3", {}, say("在岗保安", "Guards on duty")), guardList(standing)] : null,
    );
  }
  async function refresh() {
    if (!OPEN.has(alarm.state)) return;
    const fresh = await get(`/alarms/${encodeURIComponent(alarm.alarm_id)}`).catch(() => null); // the next look tells again
    if (!fresh || JSON.stringify(fresh.guards) === JSON.stringify(standing)) return;
    standing = fresh.guards;
    await draw();
  }
  return { floor, element, button, draw, refresh };
}

const lines = (found) => ({
  trail: found.points.map((point) => ({ camera_id: point.sighting.camera_id, at: point.sighting.seen_at })),
  ahead: found.next.filter((one) => one.camera_id).map((one) => ({ camera_id: one.camera_id, chance: one.probability })),
});

// What the trail says in words, and the plans of the other floors that it leads over.
async function trailWords(found, { camera, cameras, named }) {
  const floors = new Map();
  for (const point of found.points) {
    const one = named.get(point.sighting.camera_id);
    if (one && !(camera && one.building === camera.building && one.floor === camera.floor)) floors.set(`${one.building}\n${one.floor}`, one);
  }
  return [
    h("h3", {}, say("轨迹", "Trail")),
    h("p", { class: "note" }, say("推断：由已匹配的抓拍和步行时间连成，两点之间并不确知。", "Inference: joined from captures that matched and walking times; nothing is known in between."), found.last ? say(` 最后出现：${lasting(found.last.ago_s)}前。`, ` Last seen ${lasting(found.last.ago_s)} ago.`) : "", found.next.length ? say(" 百分数是下一处出现的可能。", " Percentages: how likely the person comes up there next.") : ""),
    await Promise.all([...floors.values()].map((one) => plan({ building: one.building, floor: one.floor, cameras, ...lines(found), hot: new Set([found.last?.camera_id]) }))),
    h("ol", { class: "line" }, found.points.map((point) => {
      const link = found.links.find((one) => one.to_passage === point.sighting.passage_id);
      return h("li", {}, h("b", {}, clock(point.sighting.seen_at)), ` ${named.get(point.sighting.camera_id)?.name || point.sighting.camera_id}`, h("span", { class: "soft" }, link ? say(` 走了 ${lasting(link.took_s)}，可信 ${percent(link.probability)}`, ` walked ${lasting(link.took_s)}, confidence ${percent(link.probability)}`) : ""));
    })),
    found.apart.length ? h("p", { class: "note warn" }, say(`${found.apart.length} 次抓拍在时间上走不到，未连入。`, `${found.apart.length} captures cannot be walked to in time and are left out.`)) : null,
  ];
}
