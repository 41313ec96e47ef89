// One entry: what names nobody at once, name, faces and documents for a reason on record; and what may be done with it.

import { GROUNDS, OUTCOMES } from "../alarm_words.js";
import { file, get, post } from "../api.js";
import { field, form, h, put, show, table } from "../dom.js";
import { pair, say, whole } from "../words.js";
import { ACTS, APPEALS, DOCUMENTS, SOURCES, STATES } from "./words.js";

const PROTECTORS = ["security", "data_protection"];
const reasonField = (words) => field(words, h("input", { name: "reason", required: true, maxlength: "1000" }));
const facts = (rows) => h("dl", {}, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
const digits = (value, unit = "", places = 0) => (value === undefined ? "—" : `${Number(value).toFixed(places)}${unit}`);

// How fit each photograph is: told without showing it.
const quality = (photos) =>
  table(
    [
      say("照片", "Photograph"),
      say("质量", "Quality"),
      say("两眼间距", "Eyes apart"),
      say("偏转 / 俯仰", "Turned / nodded"),
      say("清晰度", "Sharpness"),
      say("已入库", "Enrolled"),
      say("放行的缺陷", "Faults let pass"),
    ],
    photos.map((one, n) => [
      n + 1,
      digits(one.report.quality, "", 2),
      digits(one.report.eye_distance_px, " px"),
      one.report.yaw_deg === undefined ? "—" : `${digits(one.report.yaw_deg, "°")} / ${digits(one.report.pitch_deg, "°")}`,
      digits(one.report.sharpness),
      one.enrolled ? say("是", "yes") : say("否", "no"),
      (one.report.problems_accepted || []).join(say("、", ", ")) || "—",
    ]),
    say("没有照片。", "There is no photograph."),
  );

function inFull(found) {
  const { entry } = found;
  const at = `/watchlist/entries/${entry.entry_id}`;
  const [person, faces, papers] = [h("div", {}), h("div", { class: "pair" }), h("ul", {})];
  const paper = (one, reason) =>
    h("li", {}, h("button", { class: "plain", onclick: async (event) => {
      const link = h(
        "a",
        {
          href: URL.createObjectURL(await file(`${at}/documents/${one.document_id}`, { reason })),
          target: "_blank",
          rel: "noopener",
          download: one.media_type.startsWith("image/") ? null : `${one.document_id}.pdf`,
        },
        say("打开文件", "open it"),
      );
      event.target.replaceWith(link);
    } }, say("取出依据文件 ", "Fetch the document "), h("span", { class: "code" }, one.document_id)));
  const look = async ({ reason }) => {
    const it = await get(`${at}/person`, { reason });
    show(
      person,
      h(
        "p",
        {},
        h("b", {}, it.name),
        it.aliases.length ? `（${it.aliases.join(say("、", ", "))}）` : "",
        it.document_number ? ` ${pair(DOCUMENTS[it.document_kind]) || it.document_kind} ${it.document_number}` : "",
      ),
      h("p", { class: "written" }, it.ground),
    );
    show(papers, found.documents.filter((one) => one.kept).map((one) => paper(one, reason)));
    show(faces);
    for (const [n, photo] of found.photos.entries()) {
      const blob = await file(`${at}/photos/${photo.photo_id}`, { reason });
      put(
        faces,
        h(
          "figure",
          { class: "face" },
          h("img", { src: URL.createObjectURL(blob), alt: say("名单照片", "photograph on the list") }),
          h("figcaption", {}, `${n + 1} · ${say("质量 ", "quality ")}${digits(photo.report.quality, "", 2)}`),
        ),
      );
    }
  };
  return [
    form(
      { class: "filters" },
      look,
      reasonField(say("查看姓名与照片的理由（留痕）", "Why name and photographs are looked at (on record)")),
      h("button", { class: "go" }, say("查看", "Look")),
    ),
    person,
    papers,
    faces,
  ];
}

function acts(found, { roles, keeps, asked, again }) {
  const { entry } = found;
  const protects = roles.some((role) => PROTECTORS.includes(role));
  const act = (path, words, more = (fields) => ({ reason: fields.reason }), ...before) =>
    form(
      { class: "filters" },
      async (fields) => {
        const made = await post(`/watchlist/entries/${entry.entry_id}/${path}`, more(fields));
        await (made.approval_id ? asked(made) : again(say("已办理。", "Done.")));
      },
      before,
      reasonField(say("理由", "Why")),
      h("button", { class: "step" }, words),
    );
  const listed = entry.state === "approved";
  const days = field(
    say("从批准日起的天数", "Days from the approval on"),
    h("input", { name: "days", type: "number", min: "1", max: "366", value: "180", required: true }),
  );
  const offered = [
    keeps && listed ? act("review", say("复核：仍属实", "Reviewed: still right")) : null,
    keeps && listed ? act(
      "renewal",
      say("申请续期（另两人批准）", "Ask for a longer term"),
      (fields) => ({ days: Number(fields.days), reason: fields.reason }),
      days,
    ) : null,
    (keeps || protects) && !entry.ended_at ? act("withdraw", say("撤销布控（立即清除）", "Take off the list at once")) : null,
    protects && listed ? act("appeal", say("登记申诉（立即停止比对）", "Write down an appeal (stops at once)"), (fields) => ({ text: fields.reason })) : null,
    protects && entry.appeal === "open" ? act("appeal/uphold", say("申诉成立：终止", "The appeal is right: end it")) : null,
    protects && entry.appeal === "open" ? act("appeal/reject", say("申诉不成立：申请恢复", "It is not: ask to resume")) : null,
    protects && entry.state !== "erased" ? act("erasure", say("申请删除", "Ask for erasure")) : null,
  ].filter(Boolean);
  return offered.length ? h("details", {}, h("summary", {}, say("办理", "Act")), offered) : null;
}

export async function entryShown(place, entryId, given) {
  const found = await get(`/watchlist/entries/${entryId}`);
  const { entry } = found;
  show(
    place,
    h(
      "div",
      { class: "card entry" },
      h(
        "h2",
        {},
        found.name_masked || say("（不具名）", "(no name)"),
        " ",
        h("span", { class: `tag ${entry.state === "approved" ? "good" : "warn"}` }, pair(STATES[entry.state])),
        " ",
        h("span", { class: "code" }, entry.entry_id),
      ),
      entry.state === "proposed" && found.approval_id
        ? h(
          "p",
          { class: "note" },
          say("等待另两人批准：", "Waits for two others: "),
          h("a", { href: `/approvals#${found.approval_id}` }, say("查看申请", "see the request")),
        )
        : null,
      facts([
        [say("依据", "Ground"), pair(GROUNDS[entry.ground_code])],
        [say("来源", "Source"), pair(SOURCES[entry.source])],
        [say("批准人", "Approved by"), entry.approvers.join(say("、", ", ")) || "—"],
        [say("列入", "Listed"), whole(entry.listed_at)],
        [say("复核", "Review"), whole(entry.review_at)],
        [say("到期", "Ends"), whole(entry.expires_at)],
        [say("申诉", "Appeal"), pair(APPEALS[entry.appeal])],
      ]),
      h("h3", {}, say("照片质量", "Photographs and how fit they are")),
      quality(found.photos),
      found.photos.length || found.name_masked ? inFull(found) : null,
      found.outcomes.length
        ? h(
          "p",
          {},
          say("以前的报警结果：", "Earlier outcomes: "),
          found.outcomes.map((one) => `${pair(OUTCOMES[one.outcome]) || say("比对驳回", "rejected by eye")} ${whole(one.raised_at)}`).join(say("；", "; ")),
        )
        : null,
      acts(found, given),
      h(
        "details",
        {},
        h("summary", {}, say("经过", "History")),
        h(
          "ol",
          { class: "line" },
          found.history.map((step) => h("li", {}, whole(step.at), ` ${pair(ACTS[step.act]) || step.act} `, h("span", { class: "soft" }, step.staff_id || ""))),
        ),
      ),
    ),
  );
  place.scrollIntoView({ block: "start" });
}
