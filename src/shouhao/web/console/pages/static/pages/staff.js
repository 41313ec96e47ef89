// Staff: who works here with which roles, their logins and their training.

import { get, post, send } from "../api.js";
import { field, form, h, show, table } from "../dom.js";
import { ROLES, pair, say, whole } from "../words.js";

const rolesOf = (fields) => Object.keys(fields).filter((name) => name.startsWith("role_")).map((name) => name.slice(5));
const roleBoxes = (chosen = []) =>
  h("div", { class: "roles" }, Object.entries(ROLES).map(([role, words]) => h("label", { class: "pick" }, h("input", { type: "checkbox", name: `role_${role}`, checked: chosen.includes(role) }), h("span", {}, pair(words)))));

// A one-time login or a key is shown here and nowhere else.
const once = (made) =>
  h("div", { class: "note warn", role: "status" }, h("p", {}, say("只显示这一次，请当面交给本人：", "Shown this once; hand it over in person:")), h("p", { class: "code" }, made.login ? `${made.login} / ${made.key}` : made.key), made.login ? h("p", { class: "soft" }, say("24 小时内有效，首次登录须设置密码和动态口令。", "Good for a day; the first sign-in sets a password and a second factor.")) : null);

export async function page(place, { who }) {
  const administers = who.operator.roles.includes("administrator");
  const { operators } = await get("/operators");
  const aside = h("section", {});
  const again = (...above) => page(place, { who }).then(() => show(place.querySelector(".told"), ...above));
  const soon = Date.now() + 30 * 86400000;
  const training = (one) => {
    if (!one.trained_until) return h("span", { class: "tag" }, say("未培训", "none"));
    const until = Date.parse(one.trained_until);
    const kind = until < Date.now() ? "bad" : until < soon ? "warn" : "good";
    return h("span", { class: `tag ${kind}` }, say("至 ", "until "), whole(one.trained_until));
  };
  const change = (one) =>
    show(
      aside,
      h("div", { class: "card" },
        h("h2", {}, one.name, " ", h("span", { class: "code" }, one.operator_id)),
        form({}, async (fields) => { await send("PUT", `/operators/${one.operator_id}/roles`, { roles: rolesOf(fields), unit: fields.unit || null }); await again(); },
          h("h3", {}, say("角色与部门", "Roles and unit")), roleBoxes(one.roles), field(say("部门", "Unit"), h("input", { name: "unit", value: one.unit || "", maxlength: "64" })), h("button", { class: "go" }, say("更改（其登录随即结束）", "Change (their sessions end)"))),
        form({}, async (fields) => { await post(`/operators/${one.operator_id}/trainings`, { trained_by: fields.trained_by, document: fields.document, until: `${fields.until}T23:59:59+08:00` }); await again(); },
          h("h3", {}, say("登记培训", "Write down a training")), field(say("培训人", "Trained by"), h("input", { name: "trained_by", required: true, maxlength: "64" })), field(say("凭证", "Document"), h("input", { name: "document", required: true, maxlength: "128" })), field(say("有效期至", "Good until"), h("input", { name: "until", type: "date", required: true })), h("button", { class: "go" }, say("登记", "Write down"))),
        form({}, async (fields) => { const made = await post(`/operators/${one.operator_id}/login`, { login: one.login ? null : fields.login }); await again(once(made)); },
          h("h3", {}, say("登录", "Login")), one.login ? h("p", { class: "code" }, one.login) : field(say("登录名", "Login"), h("input", { name: "login", required: true, pattern: "[a-z0-9][a-z0-9._\\-]{1,31}", maxlength: "32" })), h("button", { class: "go" }, one.login ? say("重置（原密码与动态口令失效）", "Reset (password and factor end)") : say("发放", "Give"))),
        form({ }, async () => { await send("DELETE", `/operators/${one.operator_id}`); await again(); },
          h("h3", {}, say("停用", "Close access")), h("label", { class: "pick" }, h("input", { type: "checkbox", required: true }), h("span", {}, say("确认停用：其所作记录仍保留", "Close it; what was done in that name stays on record"))), h("button", { class: "step" }, say("停用", "Close")))),
    );
  const rows = operators.map((one) => [
    h("b", {}, one.name),
    one.unit || "—",
    one.roles.map((role) => pair(ROLES[role]) || role).join(say("、", ", ")),
    one.login ? h("span", {}, one.login, one.set_up ? "" : h("span", { class: "tag warn" }, say(" 未完成首次登录", " not set up"))) : h("span", { class: "soft" }, say("仅密钥", "key only")),
    training(one),
    administers ? h("button", { class: "plain", onclick: () => { change(one); aside.scrollIntoView({ block: "start" }); } }, say("管理", "Manage")) : "",
  ]);
  show(
    place,
    h("h1", {}, say("人员", "Staff")),
    h("div", { class: "told" }),
    table([say("姓名", "Name"), say("部门", "Unit"), say("角色", "Roles"), say("登录", "Login"), say("培训（看人脸须有效）", "Training (needed for faces)"), ""], rows, say("还没有人员。", "Nobody yet.")),
    aside,
    administers
      ? h("details", { class: "card" }, h("summary", {}, say("新增人员", "Add somebody")),
          form({}, async (fields) => { const made = await post("/operators", { name: fields.name, roles: rolesOf(fields), unit: fields.unit || null, login: fields.login || null }); await again(once(made)); },
            field(say("姓名", "Name"), h("input", { name: "name", required: true, maxlength: "64" })), field(say("部门", "Unit"), h("input", { name: "unit", maxlength: "64" })), field(say("登录名（机器或脚本不填，将得到密钥）", "Login (none for a machine, which gets a key)"), h("input", { name: "login", maxlength: "32", pattern: "[a-z0-9][a-z0-9._\\-]{1,31}" })), roleBoxes(), h("p", { class: "soft" }, say("管理员与审计不能兼任。", "Nobody is administrator and auditor.")), h("button", { class: "go" }, say("新增", "Add"))))
      : null,
  );
}
