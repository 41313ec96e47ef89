// Handing the wall over: what the next shift is told, who takes over, and what was handed over lately. The banner that
// says that one waits is waiting.js; this is loaded when somebody opens it.

import { get, post } from "../api.js";
import { HEALTH, STATES, TARGETS } from "../alarm_words.js";
import { field, form, h, refusal, show, table } from "../dom.js";
import { clock, pair, running, say, whole } from "../words.js";
import { guardList } from "./guards.js";
import { placeName } from "./places.js";
import { mayHand } from "./waiting.js";

const left = (due, at) => (Date.parse(due) - Date.parse(at)) / 1000;

// How everything stood at this moment; clocks are as they were then and do not run on.
function standingView(standing, at) {
  return h(
    "div",
    { class: "standing" },
    h("h3", {}, say(`未关闭的报警 ${standing.alarms.length} 件`, `${standing.alarms.length} alarms not closed`)),
    table(
      [say("地点", "Place"), say("状态", "State"), say("报警时间", "Raised"), say("保安", "Guard"), say("当时的时限（+ 为已超）", "Clocks then (+ is past)")],
      standing.alarms.map((one) => [
        h("a", { href: `/alarm/${encodeURIComponent(one.alarm_id)}`, target: "_blank", rel: "noopener" }, placeName(one.place_id)),
        h("span", { class: `tag state-${one.state}` }, pair(STATES[one.state])),
        clock(one.raised_at),
        one.guard_name || "—",
        one.clocks.length ? h("ul", { class: "chips" }, one.clocks.map((each) => h("li", { class: left(each.due, at) < 0 ? "tag bad" : "tag" }, `${pair(TARGETS[each.target])} ${running(left(each.due, at))}`))) : "—",
      ]),
      say("没有未关闭的报警。", "No alarm is open."),
    ),
    h("h3", {}, say(`失联的摄像机 ${standing.cameras_out.length} 台`, `${standing.cameras_out.length} cameras not heard of`)),
    standing.cameras_out.length
      ? h("ul", { class: "chips" }, standing.cameras_out.map((one) => h("li", { class: "tag bad" }, `${one.name} · ${pair(HEALTH[one.state]) || one.state}${one.heard_at ? say(`，最后 ${clock(one.heard_at)}`, `, last ${clock(one.heard_at)}`) : ""}`)))
      : h("p", { class: "soft" }, say("无。", "None.")),
    h("h3", {}, say(`在岗保安 ${standing.guards.length} 人`, `${standing.guards.length} guards on duty`)),
    guardList(standing.guards),
  );
}

const told = (one) => h("blockquote", { class: "handover-note" }, one.note);

export function handoverDesk({ operator, onchange, alarms }) {
  const mayWrite = mayHand(operator);
  const element = h("section", { class: "handover" });
  let draft = ""; // of the note, while an alarm is looked at in between

  function takingView(waiting) {
    const own = waiting.handed_by === operator.operator_id;
    const before = new Set(waiting.standing.alarms.map((one) => one.alarm_id));
    const open = alarms();
    const since = open.filter((one) => !before.has(one.alarm_id));
    const stillOpen = new Set(open.map((one) => one.alarm_id));
    const gone = [...before].filter((id) => !stillOpen.has(id)).length;
    const taking = form(
      { class: "card" },
      async (fields) => {
        await post(`/shift-handovers/${encodeURIComponent(waiting.handover_id)}/taking`, { remark: fields.remark || "" });
        await onchange();
      },
      field(say("与所述不符之处（没有就不填）", "What is not as it was told (leave empty if nothing)"), h("textarea", { name: "remark", rows: "2", maxlength: "2000" })),
      h("p", { class: "soft" }, say(`以 ${operator.name} 的名义接班，记入日志。`, `You take over as ${operator.name}; it goes into the log.`)),
      h("button", { class: "go" }, say("已看过，接班", "I have read it and take over")),
    );
    return [
      h("h2", {}, say("等待接班", "Waiting to be taken over")),
      h("p", {}, say(`${waiting.handed_by_name} 于 ${whole(waiting.handed_at)} 交班：`, `${waiting.handed_by_name} handed over at ${whole(waiting.handed_at)}:`)),
      told(waiting),
      since.length || gone ? h("p", { class: "note warn" }, say(`交班之后：新报警 ${since.length} 件，已关闭 ${gone} 件。`, `Since then: ${since.length} new alarms, ${gone} closed.`)) : null,
      h("p", { class: "soft" }, say(`以下为交班时（${clock(waiting.handed_at)}）的情形，之后不再变化。`, `What follows is as it stood then (${clock(waiting.handed_at)}) and does not change.`)),
      standingView(waiting.standing, waiting.handed_at),
      !mayWrite ? null : own ? h("p", { class: "note" }, say("您是交班人：须由另一人用自己的登录接班。", "You handed over: another person takes over, signed in by their own name.")) : taking,
    ];
  }

  async function handingView() {
    const standing = await get("/shift-handovers/standing");
    const handing = form(
      { class: "card" },
      async (fields) => {
        await post("/shift-handovers", { note: fields.note });
        draft = "";
        await onchange();
      },
      field(say("交班说明：下一班须知道什么", "Note: what the next shift should know"), h("textarea", { name: "note", rows: "4", maxlength: "2000", required: true, value: draft, oninput: (event) => (draft = event.target.value) })),
      h("p", { class: "soft" }, say("不写患者姓名、证件号。按下后由系统固定当时的情形，直到另一人接班，监控墙上对所有人显示。", "No patient’s name or number. How things stand is fixed when you press, and everybody at the wall sees it until another person takes over.")),
      h("button", { class: "go" }, say("交班", "Hand over")),
    );
    return [
      h("h2", {}, mayWrite ? say("交班", "Hand over") : say("交接班", "Handovers")),
      mayWrite ? handing : null,
      h("p", { class: "soft" }, say(`此刻（${clock(standing.now)}）的情形：`, `How it stands now (${clock(standing.now)}):`)),
      standingView(standing, standing.now),
    ];
  }

  function lately(handovers) {
    const past = handovers.filter((one) => one.taken_at);
    return [
      h("h2", {}, say("近 14 天", "The last 14 days")),
      past.length
        ? past.map((one) =>
            h(
              "details",
              { class: "handover-past" },
              h("summary", {}, say(`第 ${one.turn} 次 · ${whole(one.handed_at)} ${one.handed_by_name} → ${whole(one.taken_at)} ${one.taken_by_name}`, `No. ${one.turn} · ${whole(one.handed_at)} ${one.handed_by_name} → ${whole(one.taken_at)} ${one.taken_by_name}`)),
              told(one),
              h("p", {}, one.remark ? [h("b", {}, say("接班备注：", "Remark: ")), one.remark] : say("接班人确认与所述一致。", "Taken over as it was told.")),
              standingView(one.standing, one.handed_at),
            ),
          )
        : h("p", { class: "empty" }, say("还没有完成过的交接班。", "Nothing has been handed over and taken yet.")),
    ];
  }

  async function open() {
    show(element, h("p", { class: "empty" }, say("正在载入…", "Loading…")));
    try {
      const found = await get("/shift-handovers");
      show(element, found.waiting ? takingView(found.waiting) : await handingView(), lately(found.handovers), h("button", { class: "plain", onclick: () => window.print() }, say("打印", "Print")));
    } catch (error) {
      show(element, refusal(error));
    }
  }
  return { element, open };
}
