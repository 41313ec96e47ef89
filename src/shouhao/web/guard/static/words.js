// Every text of the page, Chinese first.

const WORDS = {
  title: ["保安任务", "Guard tasks"],
  other: ["English", "中文"],
  online: ["在线", "Online"],
  offline: ["无网络", "No network"],
  waiting: ["{n} 项待发送", "{n} waiting to be sent"],
  sign_in: ["登录", "Sign in"],
  login: ["登录名", "Login"],
  password: ["密码", "Password"],
  code: ["动态口令（6 位）", "Code (6 digits)"],
  sign_out: ["退出登录", "Sign out"],
  setup: ["首次登录请先在控制台设置密码和动态口令。", "First set a password and a code on the console."],
  not_guard: ["此账号没有保安角色。", "This account has not the role of a guard."],
  session_over: ["登录已结束，请重新登录；未发送的步骤已保留。", "Signed out. What waits to be sent is kept: sign in again."],
  others_wait: ["本机还有其他人的 {n} 项未发送，待其本人登录后发送。", "{n} steps of somebody else wait on this phone until they sign in."],
  my_post: ["我的岗位", "My post"],
  post_since: ["签到于 {at}", "since {at}"],
  off_duty: ["未上岗", "Off duty"],
  check_in: ["签到", "Check in"],
  go_off: ["下岗", "Go off duty"],
  choose_place: ["选择位置", "Choose a place"],
  no_task: ["现在没有任务", "No task now"],
  no_task_more: ["有新任务时会振动并响铃。请保持此页打开。", "A new task vibrates and rings. Keep this page open."],
  task: ["任务", "Task"],
  sent_at: ["派警 {at}", "sent {at}"],
  late_alarm: ["迟到数据：人可能已离开", "Late data: the person may be gone"],
  last_seen: ["最后看到：{place}，{ago}", "Last seen: {place}, {ago}"],
  ago_s: ["{n} 秒前", "{n} s ago"],
  ago_min: ["{n} 分钟前", "{n} min ago"],
  ago_h: ["{n} 小时前", "{n} h ago"],
  caution: ["系统只提示相似，不能认定身份。先核对，不要强行带离；正常就诊的请陪同。", "The machine points, it proves nothing. Check first, use no force; walk along with a genuine visit."],
  pictures: ["核对照片", "Compare the pictures"],
  show_pictures: ["查看照片（留痕）", "Show pictures (on record)"],
  hide_pictures: ["收起照片", "Hide pictures"],
  crop: ["刚才抓拍", "Just captured"],
  listed: ["底库照片", "From the list"],
  scene: ["现场画面", "The scene"],
  no_picture: ["无法显示", "Cannot be shown"],
  way: ["前往路线", "The way there"],
  way_min: ["步行约 {n} 分钟", "about {n} min on foot"],
  way_unknown: ["没有登记步行路线，只标出位置", "No way is written down; the place is marked"],
  way_here: ["您的岗位", "your post"],
  way_target: ["最后看到", "last seen"],
  floor_first: ["先在 {floor}", "First on {floor}"],
  floor_then: ["再到 {floor}", "then {floor}"],
  clock_accept: ["接受时限", "Accept within"],
  clock_arrive: ["到场时限", "Arrive within"],
  clock_outcome: ["处置时限", "Finish within"],
  clock_late: ["已超 {t}", "late by {t}"],
  clock_left: ["还剩 {t}", "{t} left"],
  accepted: ["接受任务", "Accept"],
  arrived: ["我已到场", "I am there"],
  outcome: ["填写结果", "Outcome"],
  declined: ["无法前往", "Cannot go"],
  removed: ["已劝离", "Removed"],
  warned: ["已教育警告", "Warned"],
  genuine_visit: ["正常就诊，已陪同", "Genuine visit: accompanied"],
  lost: ["未找到", "Not found"],
  mistaken_identity: ["认错人", "Wrong person"],
  note: ["说明（可不填）", "Note (may be empty)"],
  why: ["原因", "Why"],
  why_first_aid: ["正在处理急救", "At an emergency"],
  why_other_event: ["正在处理其他事件", "At another incident"],
  why_far: ["距离太远", "Too far away"],
  confirm: ["确认：{what}", "Confirm: {what}"],
  back: ["返回", "Back"],
  queued: ["待发送", "Waiting to be sent"],
  queued_more: ["有网络后自动发送，按您点击的时间记录。", "Sent when there is a network, with the time of your tap."],
  step_at: ["{what} · {at}", "{what} · {at}"],
  refused: ["未被接受", "Not accepted"],
  dismiss: ["知道了", "Understood"],
  earlier: ["此前任务", "Earlier tasks"],
  state_sent: ["等待接受", "Waiting for you"],
  state_accepted: ["前往中", "On the way"],
  state_arrived: ["已到场", "There"],
  state_done: ["已完成", "Done"],
  state_declined: ["未能前往", "Declined"],
  state_recalled: ["已收回", "Called back"],
  recalled: ["任务已收回，无需前往。", "The task was taken back. You need not go."],
  try_later: ["系统暂时没有应答", "The system does not answer now"],
  unknown_place: ["位置未登记", "Place unknown"],
};

let english = localStorage.getItem("guard-language") === "en";

export const isEnglish = () => english;

export function switchLanguage() {
  english = !english;
  localStorage.setItem("guard-language", english ? "en" : "zh");
}

export function say(name, values = {}) {
  const pair = WORDS[name];
  const template = pair ? pair[english ? 1 : 0] : name;
  return template.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
}

const CLOCK = new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export const clockTime = (moment) => CLOCK.format(new Date(moment));

export function ago(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 90) return say("ago_s", { n: s });
  if (s < 5400) return say("ago_min", { n: Math.round(s / 60) });
  return say("ago_h", { n: Math.round(s / 3600) });
}

export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}
