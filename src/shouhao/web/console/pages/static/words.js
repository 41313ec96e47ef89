// Words: the reader's language, and how days, times and lengths of time are written at the hospital.

const ZONE = "Asia/Shanghai";
let language = localStorage.getItem("language") === "en" ? "en" : "zh";

export const isEnglish = () => language === "en";
export const say = (zh, en) => (language === "en" ? en : zh);
export const pair = (words) => (words ? say(words[0], words[1]) : "");
export function choose(next) {
  language = next;
  localStorage.setItem("language", next);
}
export const documentLanguage = () => (language === "en" ? "en" : "zh-CN");

const formats = {};
function format(name, options) {
  const key = `${name}-${language}`;
  formats[key] ||= new Intl.DateTimeFormat(documentLanguage(), { timeZone: ZONE, hour12: false, ...options });
  return formats[key];
}
const at = (moment) => (moment instanceof Date ? moment : new Date(moment));
export const clock = (moment) =>
  format("clock", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(at(moment));
export const minute = (moment) => format("minute", { hour: "2-digit", minute: "2-digit" }).format(at(moment));
export const day = (moment) => format("day", { month: "short", day: "numeric", weekday: "short" }).format(at(moment));
export const whole = (moment) => (moment ? `${day(moment)} ${minute(moment)}` : "—");
export const number = (value) => new Intl.NumberFormat(documentLanguage()).format(value);
export const percent = (value, digits = 0) => `${(100 * value).toFixed(digits)} %`;

// How long, in the unit that is easy to hold.
export function lasting(seconds) {
  const whole = Math.abs(Math.round(seconds));
  if (whole < 60) return say(`${whole} 秒`, `${whole} s`);
  if (whole < 3600) return say(`${Math.floor(whole / 60)} 分 ${whole % 60} 秒`, `${Math.floor(whole / 60)} min ${whole % 60} s`);
  if (whole < 172800) return say(`${Math.floor(whole / 3600)} 小时 ${Math.floor((whole % 3600) / 60)} 分`, `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`);
  return say(`${Math.floor(whole / 86400)} 天`, `${Math.floor(whole / 86400)} days`);
}

// A running clock: minutes and seconds, with a sign once it is past.
export function running(seconds) {
  const whole = Math.abs(Math.round(seconds));
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const text = `${hours ? `${hours}:` : ""}${hours ? two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)}:${two(whole % 60)}`;
  return seconds < 0 ? `+${text}` : text;
}

export const ROLES = {
  window: ["窗口", "Window"],
  reviewer: ["照片审核", "Photo review"],
  outpatient_office: ["门诊办公室", "Outpatient office"],
  approver: ["审批", "Approver"],
  it: ["信息科", "IT"],
  auditor: ["审计", "Auditor"],
  witness: ["见证方", "Witness"],
  security: ["保卫处", "Security office"],
  monitoring: ["监控中心", "Monitoring centre"],
  guard: ["保安", "Guard"],
  police_liaison: ["警务联络", "Police liaison"],
  data_protection: ["个人信息保护负责人", "Data protection"],
  administrator: ["管理员", "Administrator"],
};
