// Booking for the patient at the window: sessions of today and later, how each is released, and what one may ask for.

import { get } from "../api.js";
import { field, form, h, refusal, show } from "../dom.js";
import { minute, pair, say, whole } from "../words.js";
import { act, sender } from "./sending.js";
import { KINDS, RELEASES, doctorOf, halfOf, yuan } from "./words.js";

const REMEMBERED = "desk-department";

export function bookingFor(patient, { done }) {
  const results = h("div", { "aria-live": "polite" });
  let now = "";
  let known = new Map();
  const plusDays = (day, days) => new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);

  // What became of it is shown where the patient's things stand; here only the row is asked again.
  const row = (it) => {
    const left = it.free + it.window_free;
    const one = { patient_id: patient.patient_id, session_id: it.id };
    const book = (words, more, kind = "go") => act(words, async (sending) => { const made = await sending("POST", "/bookings", { ...one, ...more }); done({ focus: made.id, told: say(`已约 ${made.number} 号`, `No. ${made.number} booked`) }); await search(); }, { kind });
    const acts = [];
    if (it.state === "released") {
      if (left) acts.push(book(say("预约", "Book"), {}));
      if (it.care_free) acts.push(book(say("照护号", "Care place"), { pool: "care" }, "step"));
      if (it.waitlist_open) acts.push(act(say("候补", "Wait"), async (sending) => { await sending("POST", `/sessions/${encodeURIComponent(it.id)}/waits`, { patient_ids: [patient.patient_id] }); done({ told: say("已加入候补", "On the waitlist") }); await search(); }));
      if (it.release.kind === "mixed") acts.push(referral(one));
    } else if (it.release.draw_id && it.release.opens_at <= now && now < it.release.closes_at) acts.push(entering(it));
    return h(
      "tr",
      {},
      h("td", {}, h("b", {}, halfOf(it)), h("div", { class: "soft" }, `${it.starts_at.slice(11, 16)}–${it.ends_at.slice(11, 16)}`)),
      h("td", {}, h("b", {}, doctorOf(it)), h("div", { class: "soft" }, `${say(it.department_zh, it.department_en || it.department_zh)} · ${pair(KINDS[it.kind]) || it.kind}`)),
      h("td", {}, pair(RELEASES[it.release.kind]), h("div", { class: "soft" }, it.state === "planned" ? opens(it) : null)),
      h("td", {}, leftOf(it)),
      h("td", { class: "num" }, yuan(it.fee_cents)),
      h("td", {}, h("div", { class: "acts" }, acts)),
    );
  };
  const opens = (it) => (it.release.opens_at ? say(`报名 ${whole(it.release.opens_at)} 至 ${minute(it.release.closes_at)}`, `entries ${whole(it.release.opens_at)} to ${minute(it.release.closes_at)}`) : say(`${whole(it.release_at)} 放号`, `released ${whole(it.release_at)}`));
  const leftOf = (it) => {
    if (it.state === "planned") return h("span", { class: "tag" }, say("未放号", "not released"));
    const told = [];
    if (it.free) told.push(h("span", { class: "tag good" }, say(`余 ${it.free}`, `${it.free} free`)));
    if (it.window_free) told.push(h("span", { class: "tag good" }, say(`窗口 ${it.window_free}`, `${it.window_free} at the window`)));
    if (it.care_free) told.push(h("span", { class: "tag" }, say(`照护 ${it.care_free}`, `${it.care_free} care`)));
    if (!told.length) told.push(h("span", { class: "tag warn" }, say("已约满", "full")));
    if (it.waiting) told.push(h("div", { class: "soft" }, say(`候补 ${it.waiting} 人`, `${it.waiting} wait`)));
    return told;
  };

  function referral(one) {
    const sending = sender();
    return h(
      "details",
      { class: "sure" },
      h("summary", { class: "plain" }, say("转诊", "Referral")),
      form({}, async (fields) => { const made = await sending("POST", "/bookings", { ...one, pool: "referral", note: fields.note }); done({ focus: made.id, told: say(`已约 ${made.number} 号（转诊）`, `No. ${made.number} booked by referral`) }); await search(); }, field(say("转诊单号", "Referral no."), h("input", { name: "note", required: true, maxlength: "64", pattern: "[A-Za-z0-9_.:\\-]+" })), h("button", { class: "step" }, say("凭转诊单预约", "Book"))),
    );
  }

  // Sessions of one draw are wishes of one entry; the first is the one that was pressed.
  function entering(it) {
    const sending = sender();
    const place = h("div", {});
    const open = async (event) => {
      if (!event.target.open) return;
      try {
        const draw = await get(`/draws/${encodeURIComponent(it.release.draw_id)}`);
        const others = draw.targets.filter((one) => one.session_id !== it.id);
        show(
          place,
          form(
            {},
            async (fields, element) => {
              const more = [...element.querySelectorAll("[name=wish]:checked")].map((box) => box.value);
              await sending("POST", `/draws/${encodeURIComponent(draw.draw_id)}/entries`, { patient_ids: [patient.patient_id], wishes: [it.id, ...more] });
              done({ told: say("已报名抽签", "Entered in the draw") });
              await search();
            },
            h("p", { class: "soft" }, say(`截止前何时报名机会都一样，不必争先。现有 ${draw.entries} 份报名。`, `When it comes carries no weight. ${draw.entries} entries so far.`)),
            others.length ? h("fieldset", {}, h("legend", {}, say("未抽中时也愿意", "Also wished, after this one")), others.map((one) => h("label", { class: "pick" }, h("input", { type: "checkbox", name: "wish", value: one.session_id }), h("span", {}, known.has(one.session_id) ? `${halfOf(known.get(one.session_id))} ${doctorOf(known.get(one.session_id))}` : one.label)))) : null,
            h("button", { class: "go" }, say("报名", "Enter")),
          ),
        );
      } catch (error) {
        show(place, refusal(error));
      }
    };
    return h("details", { class: "sure", ontoggle: open }, h("summary", { class: "plain" }, say("参加抽签", "Enter the draw")), place);
  }

  async function search() {
    const fields = Object.fromEntries(new FormData(asking).entries());
    localStorage.setItem(REMEMBERED, fields.department);
    const from = fields.day || null;
    const last = from ? from : now ? plusDays(now.slice(0, 10), Number(fields.span)) : null;
    const found = await get("/sessions", { department_id: fields.department, first_day: from, last_day: last });
    const first = !now;
    now = found.now;
    known = new Map(found.sessions.map((one) => [one.id, one]));
    if (first && !from) return search();
    show(
      results,
      found.sessions.length
        ? h("div", { class: "scroll", tabindex: "0" }, h("table", { class: "offer" }, h("thead", {}, h("tr", {}, [say("日期", "Day"), say("医生", "Doctor"), say("放号方式", "Release"), say("余号", "Left"), say("费用", "Fee"), ""].map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, [...found.sessions].sort((one, other) => one.starts_at.localeCompare(other.starts_at)).map(row))))
        : h("p", { class: "empty" }, say("这段时间没有排班。", "No session in this time.")),
      found.cut ? h("p", { class: "soft" }, say("还有更多，请按科室或日期缩小范围。", "There are more: narrow it by department or day.")) : null,
    );
    return found;
  }
  const department = h("select", { name: "department" }, h("option", { value: "" }, say("全部科室", "All departments")));
  const asking = form(
    { class: "filters" },
    search,
    field(say("科室", "Department"), department),
    field(say("范围", "From today"), h("select", { name: "span" }, [[0, say("今天", "today")], [1, say("今明两天", "today and tomorrow")], [7, say("一周内", "a week")], [30, say("一月内", "a month")]].map(([days, words]) => h("option", { value: days, selected: days === 7 }, words)))),
    field(say("或某一天", "Or one day"), h("input", { name: "day", type: "date" })),
    h("button", { class: "step" }, say("查号", "Search")),
  );
  asking.addEventListener("change", () => asking.requestSubmit());
  const begin = async () => {
    try {
      const { departments } = await get("/departments");
      const kept = localStorage.getItem(REMEMBERED);
      for (const one of departments) department.append(h("option", { value: one.id, selected: one.id === kept }, say(one.name_zh, one.name_en || one.name_zh)));
      await search();
    } catch (error) {
      show(results, refusal(error));
    }
  };
  const element = h("section", { class: "booking" }, h("h2", {}, h("kbd", {}, "F4"), say("预约", "Book")), patient.verification === "verified" ? null : h("p", { class: "note warn" }, say("身份未核验，预约会被拒绝：请先当面核验。", "Not confirmed: booking will be refused; confirm first.")), asking, results);
  return { element, begin, focus: () => department.focus() };
}
