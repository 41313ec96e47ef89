// Words of findings: levels, kinds of subjects and of what ties them, judgements, and figures as people read them.

import { h } from "./dom.js";
import { documentLanguage, minute, number, say } from "./words.js";

export const LEVELS = {
  "certain-pattern": ["确定模式", "Certain pattern"],
  strong: ["强线索", "Strong"],
  lead: ["一般线索", "Lead"],
};
export const MEANS = {
  "certain-pattern": ["几种互不相干的迹象同时指向它，行为模式确定；确定的是模式，不是谁的责任。请保全原始文件，由人决定下一步。", "Several independent signs agree and the pattern is certain. Certain is the pattern, not who is to blame: preserve the original files; a person decides what follows."],
  strong: ["很不寻常，清白的解释少见。请两人核对原始行、就诊与付款；可以加验证，不直接封号。", "Very unusual; honest explanations are rare. Two people check raw lines, attendance and payments; ask for more proof, do not ban."],
  lead: ["不寻常，但常有清白的解释。先不打扰对方，留意下次放号。", "Unusual, but often with an honest explanation. Leave the person alone and watch the next release."],
};
const LEVEL_TAGS = { "certain-pattern": "bad", strong: "warn", lead: "" };
export const STATES = { open: ["待核查", "Open"], upheld: ["属实", "Upheld"], dismissed: ["排除", "Dismissed"], watched: ["继续观察", "Watched"] };
const STATE_TAGS = { open: "", upheld: "bad", dismissed: "good", watched: "warn" };
export const JUDGEMENTS = {
  upheld: ["属实：核查后确认在倒号", "Upheld: checked, and it is scalping"],
  dismissed: ["排除：有清白的解释", "Dismissed: there is an honest explanation"],
  watched: ["继续观察：现在还定不了", "Watched: it cannot be told yet"],
};
export const KINDS = {
  ring: ["团伙", "Ring"],
  account: ["账号", "Account"],
  device: ["设备", "Device"],
  payer: ["付款人", "Payer"],
  phone: ["手机号", "Phone"],
  ip: ["网络地址", "Address"],
  prefix: ["网段", "Network"],
  face: ["人脸", "Face"],
  frame: ["画面", "Frame"],
  cohort: ["同一批", "One batch"],
  hand_over: ["转手", "Hand-over"],
  patient: ["就诊人", "Patient"],
  staff: ["工作人员", "Staff"],
  session: ["排班", "Session"],
  session_token: ["登录会话", "Sign-in"],
};
//: What it means that two people share one of these.
export const SHARED = {
  device: ["同一台手机或电脑上用过的账号", "accounts that were used on one phone or computer"],
  payer: ["由同一个人付款的账号", "accounts that one person paid for"],
  phone: ["登记同一个手机号的账号", "accounts with one phone number"],
  ip: ["从同一网络地址来的账号；单位、校园网也会这样", "accounts behind one address; a workplace or a campus looks like this too"],
  prefix: ["从同一网段来的账号；单位、校园网也会这样", "accounts from one network; a workplace or a campus looks like this too"],
  face: ["核验时出现同一张脸的账号", "accounts that showed one face when checked"],
  frame: ["核验时交来同一张画面的账号", "accounts that handed in one and the same picture"],
  cohort: ["成批出现的账号：同一时间、同样做法", "accounts that came as one batch: at one time, in one way"],
  hand_over: ["一方退号、另一方随即取走", "one gave a slot back and the other took it at once"],
  session_token: ["用过同一次登录的账号", "accounts that used one sign-in"],
};

export const both = (words) => (words ? say(words.zh, words.en) : "");
//: The same at the head of something.
export function titled(words) {
  const said = both(words);
  return said.charAt(0).toUpperCase() + said.slice(1);
}
export const kindName = (kind) => (Object.hasOwn(KINDS, kind) ? say(...KINDS[kind]) : kind);

// A measured value, to three digits where it is no whole number.
export function figure(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size && !(size >= 1e-3 && size < 1e6)) return sign + size.toExponential(1).replace("e+", "e");
  if (Number.isInteger(value) || size >= 1000) return sign + Math.round(size).toLocaleString("en");
  return sign + String(Number(size.toPrecision(3)));
}

// How often.
export const times = (n) => (n ? say(`${number(n)} 次`, n === 1 ? "once" : `${number(n)} times`) : "");

// From one moment to another, as short as a row of a list needs it.
export function stretch(first, last) {
  const date = new Intl.DateTimeFormat(documentLanguage(), { timeZone: "Asia/Shanghai", month: "short", day: "numeric" });
  const [from, to] = [date.format(new Date(first)), date.format(new Date(last))];
  return from === to ? `${from} ${minute(first)}–${minute(last)}` : `${from} – ${to}`;
}

// A weight in log-odds, with its sign.
export const weight = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)}`;

// Log-odds in words; beyond ten thousand to one nobody knows the data well enough.
export function odds(score) {
  const ratio = Math.exp(Math.min(Math.abs(score), 12));
  const told = Number(Math.min(ratio, 1e4).toPrecision(2)).toLocaleString("en");
  const side = score >= 0 ? `${told} : 1` : `1 : ${told}`;
  if (ratio <= 1e4) return say(`约 ${side}`, `about ${side}`);
  return score >= 0 ? say(`超过 ${side}`, `more than ${side}`) : say(`不到 ${side}`, `less than ${side}`);
}

// scoring.* lowers a score for everybody alike: it tells nothing in favour of this subject, and must not look as if it did.
const ofMethod = (term) => term.code.startsWith("scoring.");
export const allowances = (finding) => finding.speaks_for.filter((term) => ofMethod(term) && term.code !== "scoring.base_rate");
export const inFavour = (finding) => finding.speaks_for.filter((term) => !ofMethod(term));

export const levelTag = (level) => h("span", { class: `tag ${LEVEL_TAGS[level] || ""}` }, say(...(LEVELS[level] || [level, level])));
export const stateTag = (state) => h("span", { class: `tag ${STATE_TAGS[state] || ""}` }, say(...(STATES[state] || [state, state])));
