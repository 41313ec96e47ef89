// Lists that came from others: taking one in, what it would change, and asking that it is accepted as a whole.

import { get, post, send } from "../api.js";
import { field, form, h, show, table } from "../dom.js";
import { pair, say, whole } from "../words.js";
import { bundleRows } from "./bundle_rows.js";
import { listChoice } from "./entries.js";
import { BUNDLES } from "./words.js";

export async function bundleShown(place, bundleId, { keeps, asked }) {
  const { bundle, difference } = await get(`/watchlist/bundles/${bundleId}`);
  show(
    place,
    h(
      "div",
      { class: "card bundle" },
      h(
        "h2",
        {},
        say("名单包 第 ", "Bundle no. "),
        bundle.number,
        say(" 期 ", " "),
        h("span", { class: "tag" }, pair(BUNDLES[bundle.state])),
        " ",
        h("span", { class: "code" }, bundle.bundle_id),
      ),
      h(
        "p",
        { class: "soft" },
        say("签发方 ", "Issuer "),
        h("span", { class: "code" }, bundle.issuer_id),
        say("，签发 ", ", issued "),
        whole(bundle.issued_at),
        say("，到期 ", ", ends "),
        whole(bundle.expires_at),
      ),
      bundle.approval_id ? h("p", {}, h("a", { href: `/approvals#${bundle.approval_id}` }, say("查看审批", "See the approval"))) : null,
      difference ? bundleRows(bundleId, difference) : h(
        "p",
        { class: "empty" },
        say("正在核对照片，稍后再看。", "Its photographs are being looked at; come back shortly."),
      ),
      keeps && bundle.state === "checked"
        ? form(
            { class: "filters" },
            async (fields) => asked(await post(`/watchlist/bundles/${bundleId}/import`, { reason: fields.reason })),
            field(say("接受的理由", "Why it is to be accepted"), h("input", { name: "reason", required: true, maxlength: "1000" })),
            h("button", { class: "go" }, say("申请整体接受（另两人批准）", "Ask that it is accepted as a whole")),
          )
        : null,
    ),
  );
  place.scrollIntoView({ block: "start" });
}

const takingIn = (lists, again) =>
  form(
    { class: "filters" },
    async (fields, element) => {
      const data = element.querySelector("[name=file]").files[0];
      const made = await send("POST", `/watchlist/bundles?${new URLSearchParams({ list_id: fields.list_id })}`, undefined, {
        raw: new Blob([data], { type: "application/octet-stream" }),
        headers: fields.passphrase ? { "x-bundle-passphrase": fields.passphrase } : {},
      });
      await again(say(`已收到（${made.bundle_id}），未列入任何人。`, `It came (${made.bundle_id}); nobody is listed by it.`));
    },
    field(say("文件", "File"), h("input", { name: "file", type: "file", required: true })),
    field(say("归入名单", "Into the list"), listChoice(lists)),
    field(say("口令（如有）", "Passphrase, if any"), h("input", { name: "passphrase", type: "password", autocomplete: "off" })),
    h("button", { class: "go" }, say("接收", "Take in")),
  );

export async function bundles(lists, { keeps, again }, open) {
  const [{ bundles: found }, { issuers }] = await Promise.all([get("/watchlist/bundles"), get("/watchlist/issuers")]);
  const issuer = Object.fromEntries(issuers.map((one) => [one.issuer_id, one.name]));
  const name = Object.fromEntries(lists.map((one) => [one.list_id, one.name]));
  const waiting = found.some((one) => one.state === "checked");
  return h(
    "details",
    { class: "card", open: waiting },
    h("summary", {}, say("收到的名单包", "Lists from others")),
    table(
      [say("签发方", "Issuer"), say("期号", "Number"), say("名单", "List"), say("状态", "State"), say("签发", "Issued"), say("到期", "Ends"), ""],
      found.map((it) => [
        issuer[it.issuer_id] || h("span", { class: "code" }, it.issuer_id),
        it.number,
        name[it.list_id] || it.list_id,
        pair(BUNDLES[it.state]),
        whole(it.issued_at),
        whole(it.expires_at),
        h("button", { class: "plain", onclick: () => open(it.bundle_id) }, say("看差异", "What it changes")),
      ]),
      say("还没有收到名单包。", "No bundle has come yet."),
    ),
    keeps && lists.length ? takingIn(lists, again) : null,
  );
}
