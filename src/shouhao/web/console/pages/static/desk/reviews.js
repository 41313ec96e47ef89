// ID photo review: the photo beside what the patient wrote, a decision with a reason, and the next one at once.

import { get } from "../api.js";
import { field, form, h, refusal, show } from "../dom.js";
import { pair, say, whole } from "../words.js";
import { reasons, sender } from "./sending.js";
import { DOCUMENTS, SEXES } from "./words.js";

const GOOD = [["照片清晰，与所填一致", "clear, and as written"]];
const BAD = [["照片看不清", "cannot be read"], ["与所填姓名或号码不一致", "differs from what was written"], ["不是证件照片", "no photo of a document"], ["证件已过期", "the document ran out"], ["有遮挡或反光", "covered or glaring"]];

export async function reviews(place, { told }) {
  const work = h("section", { class: "review", "aria-live": "polite" });
  const left = h("p", { class: "soft" });
  let keys = null;
  place.addEventListener("desk-key", (event) => keys && keys(event.detail));

  async function next(said = null) {
    keys = null;
    let queue;
    try {
      queue = await get("/photo-reviews");
    } catch (error) {
      show(work, refusal(error), h("button", { class: "step", onclick: () => next() }, say("重新载入", "Load again")));
      return;
    }
    told(queue.waiting);
    left.textContent = queue.waiting ? say(`${queue.waiting} 张等待，最早的在前。打开即留痕，照片带您的水印；作出结论后照片立即删除。`, `${queue.waiting} wait, the oldest first. Opening is on record and marks the photo with who looks; once decided it is gone.`) : "";
    const note = said ? h("p", { class: "note", role: "status" }, said) : null;
    if (!queue.reviews.length) return show(work, note, h("p", { class: "empty" }, say("没有等待审核的照片。", "No photo waits.")));
    const first = queue.reviews[0];
    const button = h("button", { class: "go", onclick: () => open(first.review_id) }, h("kbd", {}, "O"), say("打开最早的一张", "Open the oldest"));
    show(work, note, h("p", {}, button, " ", h("span", { class: "soft" }, say("提交于 ", "sent "), whole(first.submitted_at))), h("ol", { class: "waiting" }, queue.reviews.slice(1).map((one) => h("li", {}, h("button", { class: "plain", onclick: () => open(one.review_id) }, whole(one.submitted_at)), h("span", { class: "code" }, ` ${one.review_id}`)))));
    keys = (key) => key === "o" && button.click();
    button.focus();
  }

  async function open(reviewId) {
    keys = null;
    show(work, h("p", { class: "empty" }, say("正在打开…", "Opening…")));
    let it;
    try {
      it = await get(`/photo-reviews/${encodeURIComponent(reviewId)}`);
    } catch (error) {
      show(work, refusal(error), h("button", { class: "step", onclick: () => next() }, say("回到队列", "Back to the queue")));
      return;
    }
    const sending = sender();
    const { box } = reasons([]);
    const decide = form(
      {},
      async (fields) => {
        const approve = fields.approve === "yes";
        await sending("POST", `/photo-reviews/${encodeURIComponent(reviewId)}/decision`, { approve, reason: fields.reason });
        await next(approve ? say("已通过。下一张：", "Approved. The next:") : say("未通过，已告知就诊人重拍或到窗口。下一张：", "Refused; the patient is told. The next:"));
      },
      field(say("理由", "Why"), box),
      h("div", { class: "steps" }, h("button", { class: "step first", name: "approve", value: "yes" }, say("通过", "Approve")), h("button", { class: "step", name: "approve", value: "no" }, say("不通过", "Refuse"))),
    );
    const [yes, no] = decide.querySelectorAll("button[name=approve]");
    // A reason leads to its own decision and no other: the other button waits until the words are one's own.
    const chip = (words, n, good) => h("button", { type: "button", class: "chip", onclick: () => { box.value = pair(words); [yes.disabled, no.disabled] = [!good, good]; (good ? yes : no).focus(); } }, h("kbd", {}, n + 1), pair(words));
    const chips = [...GOOD, ...BAD].map((words, n) => chip(words, n, n < GOOD.length));
    if (it.photo_base64 === null) chips[0].disabled = yes.disabled = true;
    box.addEventListener("input", () => ([yes.disabled, no.disabled] = [it.photo_base64 === null, false]));
    show(
      work,
      h(
        "div",
        { class: "compare" },
        it.photo_base64 === null
          ? h("p", { class: "missing" }, say("文件不是能打开的照片，无法显示：请选“不是证件照片”。", "The file is no picture that can be opened: refuse it."))
          : h("figure", { class: "paper" }, h("img", { src: `data:image/jpeg;base64,${it.photo_base64}`, alt: say("证件照片（带水印）", "photo of the document, watermarked") }), h("figcaption", { class: "soft" }, say("水印为您的编号和时间", "The mark is your id and the time"))),
        h(
          "div",
          {},
          h("h2", {}, say("就诊人所填", "What the patient wrote")),
          h("dl", { class: "written" }, [[say("姓名", "Name"), h("b", {}, it.name)], [say("证件", "Document"), pair(DOCUMENTS[it.document_kind])], [say("号码", "Number"), h("b", { class: "digits" }, it.document_number)], [say("出生", "Born"), it.birth_day], [say("性别", "Sex"), pair(SEXES[it.sex]) || "—"], [say("提交", "Sent"), whole(it.submitted_at)]].map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
          h("div", { class: "chips common" }, chips),
          decide,
          h("button", { class: "plain", type: "button", onclick: () => next() }, say("先放着，回到队列", "Leave it, back to the queue")),
        ),
      ),
    );
    keys = (key) => chips[Number(key) - 1] && !chips[Number(key) - 1].disabled && chips[Number(key) - 1].click();
    work.scrollIntoView({ block: "nearest" });
    (chips[0].disabled ? chips[1] : chips[0]).focus();
  }
  show(place, left, work);
  await next();
}
