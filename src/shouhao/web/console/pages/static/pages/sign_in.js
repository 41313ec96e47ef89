// Signing in: a password with a code, or a one-time login, after which a password and a second factor are set.

import { field, form, h, show } from "../dom.js";
import { choose, isEnglish, say } from "../words.js";

const svgPicture = (text) => h("img", { src: URL.createObjectURL(new Blob([text], { type: "image/svg+xml" })), alt: say("动态口令二维码", "QR code of the second factor"), width: 220, height: 220 });

export async function page(place, { who, back, post, believe }) {
  const box = h("main", { class: "door", id: "main" });
  show(place, box);
  const language = h("button", { class: "plain", type: "button", onclick: () => { choose(isEnglish() ? "zh" : "en"); location.reload(); } }, say("English", "中文"));

  const door = () =>
    show(
      box,
      h("h1", {}, say("守号控制台", "Shouhao console")),
      form(
        { class: "card" },
        async (fields) => {
          const made = believe(await post("/sign-in", { login: fields.login, password: fields.password, code: fields.code || "" }));
          if (made.stage === "full") location.assign(back);
          else await password();
        },
        field(say("登录名", "Login"), h("input", { name: "login", required: true, autocomplete: "username", autocapitalize: "none", spellcheck: "false", autofocus: true })),
        field(say("密码或一次性口令", "Password, or one-time login"), h("input", { name: "password", type: "password", required: true, autocomplete: "current-password" })),
        field(say("动态口令（首次登录不填）", "Code (none at the first sign-in)"), h("input", { name: "code", inputmode: "numeric", autocomplete: "one-time-code", maxlength: "6" })),
        h("button", { class: "go" }, say("登录", "Sign in")),
      ),
      language,
    );

  const password = async () =>
    show(
      box,
      h("h1", {}, say("设置密码", "Set a password")),
      form(
        { class: "card" },
        async (fields) => {
          if (fields.one !== fields.two) throw new Error(say("两次输入不一致", "The two are not the same"));
          await post("/session/password", { new_password: fields.one });
          await factor();
        },
        h("p", { class: "soft" }, say("至少 12 个字符，可以是一句话；不要求大小写或符号。", "12 characters or more; a sentence is fine. No rules about capitals or signs.")),
        field(say("新密码", "New password"), h("input", { name: "one", type: "password", required: true, minlength: "12", autocomplete: "new-password", autofocus: true })),
        field(say("再输入一次", "Once more"), h("input", { name: "two", type: "password", required: true, minlength: "12", autocomplete: "new-password" })),
        h("button", { class: "go" }, say("下一步", "Next")),
      ),
    );

  const factor = async () => {
    const offered = await post("/session/second-factor", {});
    show(
      box,
      h("h1", {}, say("绑定动态口令", "Bind the second factor")),
      form(
        { class: "card" },
        async (fields) => {
          believe(await post("/session/second-factor/confirmation", { code: fields.code }));
          location.assign(back);
        },
        h("p", {}, say("用身份验证器扫描，再输入显示的六位数字。", "Scan it with an authenticator, then type the six digits it shows.")),
        svgPicture(offered.qr_svg),
        h("details", {}, h("summary", {}, say("无法扫描", "Cannot scan it")), h("p", { class: "code" }, offered.secret)),
        field(say("六位数字", "Six digits"), h("input", { name: "code", required: true, inputmode: "numeric", autocomplete: "one-time-code", maxlength: "6", autofocus: true })),
        h("button", { class: "go" }, say("完成", "Done")),
      ),
    );
  };

  if (!who) door();
  else if (who.stage === "full") location.assign(back);
  else await password();
}
