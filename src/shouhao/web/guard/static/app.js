// The guard's page: my task, its next step under the thumb, the way there, and what still waits to be sent.

import * as api from "./api.js";
import * as queue from "./queue.js";
import { drawWay } from "./plan.js";
import { h } from "./draw.js";
import { ago, clockTime, isEnglish, say, span, switchLanguage } from "./words.js";

const POLL_MS = 3000;
const RETRY_LEAST_MS = 2000;
const RETRY_MOST_MS = 30000;
const NEXT = { sent: ["accepted", "declined"], accepted: ["arrived", "declined"], arrived: ["outcome"] };
const AFTER = { accepted: "accepted", arrived: "arrived", outcome: "done", declined: "declined" };
const OUTCOMES = ["removed", "warned", "genuine_visit", "lost", "mistaken_identity"];
const WHYS = ["why_first_aid", "why_other_event", "why_far"];
const SIGN_IN_CODES = new Set(["staff.refused", "staff.session_ended", "staff.setup_needed"]);
const LATER_CODES = new Set(["web.outside_zone", "web.csrf_refused", "web.cross_site", "idempotency_key_reused"]);

const state = {
  operator: null,
  online: navigator.onLine,
  post: null,
  dispatches: null,
  steps: [], // that wait, or were refused
  way: null, // of the live task: {id, way}
  pictures: null, // shown now: {id, items}
  form: null, // what is being filled in: {kind, outcome}
  problem: "",
  offsetMs: 0, // the console's clock less this phone's
  told: new Set(),
};

const main = document.getElementById("main");
const dock = document.getElementById("dock");

// What there is

const mine = () => state.steps.filter((step) => step.operatorId === state.operator?.operator_id);
const waiting = () => mine().filter((step) => !step.refused);

function taskState(task) {
  const ahead = waiting().filter((step) => step.dispatchId === task.dispatch_id);
  return ahead.length ? AFTER[ahead.at(-1).step] : task.state;
}

function liveTask() {
  return state.dispatches?.find((task) => task.live && NEXT[taskState(task)]) ?? null;
}

// Drawing

let drawn = "";

function draw(force = false) {
  const now = JSON.stringify([state.operator, state.post, state.dispatches, state.steps, state.way, state.form, state.problem, state.pictures?.items.length, isEnglish()]);
  drawLine();
  if (!force && now === drawn) return;
  drawn = now;
  document.documentElement.lang = isEnglish() ? "en" : "zh-CN";
  document.getElementById("title").textContent = say("title");
  document.title = say("title");
  document.getElementById("hospital").textContent = document.body.dataset[isEnglish() ? "hospitalEn" : "hospitalZh"];
  const other = document.getElementById("language");
  other.textContent = say("other");
  other.lang = isEnglish() ? "zh-CN" : "en";
  const focused = document.activeElement?.id;
  const texts = [...document.querySelectorAll("main input, main select, main textarea")].map((field) => [field.id, field.value]);
  main.replaceChildren(...(state.operator ? drawMine() : drawSignIn()).filter(Boolean));
  drawDock();
  for (const [id, value] of texts) {
    const field = id && document.getElementById(id);
    if (field) field.value = value;
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  tick();
}

function drawLine() {
  const line = document.getElementById("line");
  const count = waiting().length;
  line.className = "pill" + (count ? " wait" : state.online ? "" : " off");
  line.textContent = count ? say("waiting", { n: count }) : say(state.online ? "online" : "offline");
}

function drawSignIn() {
  const form = h("form", { class: "card whole", onsubmit: submitSignIn },
    h("h1", {}, say("sign_in")),
    h("label", { for: "login" }, say("login")),
    h("input", { id: "login", name: "login", autocomplete: "username", autocapitalize: "none", required: true }),
    h("label", { for: "password" }, say("password")),
    h("input", { id: "password", name: "password", type: "password", autocomplete: "current-password", required: true }),
    h("label", { for: "code" }, say("code")),
    h("input", { id: "code", name: "code", inputmode: "numeric", autocomplete: "one-time-code", maxlength: 6 }),
    h("p", {}),
    h("button", { class: "go", type: "submit" }, say("sign_in")));
  return [problem(), form];
}

function problem() {
  return state.problem ? h("div", { class: "note bad whole", role: "alert" }, h("p", {}, state.problem)) : null;
}

function drawMine() {
  const task = liveTask();
  const others = state.steps.length - mine().length;
  return [
    problem(),
    others > 0 && h("p", { class: "note warn whole" }, say("others_wait", { n: others })),
    ...drawQueue(),
    ...(task ? drawTask(task) : drawNothing()),
    drawPost(),
    drawEarlier(task),
  ];
}

function drawQueue() {
  const found = [];
  const queued = waiting();
  if (queued.length) {
    found.push(h("section", { class: "note warn whole", id: "queued" }, h("strong", {}, say("queued")),
      h("ul", { class: "list" }, queued.map((step) => h("li", {}, say("step_at", { what: stepWords(step), at: clockTime(step.saidAtMs) })))),
      h("p", { class: "soft" }, say("queued_more"))));
  }
  for (const step of mine().filter((one) => one.refused)) {
    found.push(h("section", { class: "note bad whole", role: "alert" }, h("strong", {}, say("refused")),
      h("p", {}, say("step_at", { what: stepWords(step), at: clockTime(step.saidAtMs) }), " — ", step.refused),
      h("button", { class: "go second small", type: "button", onclick: () => dismiss(step) }, say("dismiss"))));
  }
  return found;
}

const stepWords = (step) => say(step.step) + (step.outcome ? `：${say(step.outcome)}` : "");

function placeWords(place) {
  return place ? `${place.building} ${place.floor} ${place.name}` : say("unknown_place");
}

function drawTask(task) {
  const now = taskState(task);
  const place = task.last_place ?? task.place;
  return [
    h("section", { class: "card task" + (state.told.has(task.dispatch_id) ? "" : " fresh") },
      h("p", {}, h("span", { class: "tag" }, say(`state_${now}`)), " ", h("span", { class: "soft" }, say("sent_at", { at: clockTime(task.sent_at) }))),
      h("h1", {}, placeWords(place)),
      h("p", { class: "soft", "data-seen": task.last_seen_at, "data-place": place?.name ?? "" }),
      task.late && h("p", {}, h("span", { class: "tag warn" }, say("late_alarm"))),
      h("ul", { class: "clocks" }, task.clocks.filter((clock) => clock.done === null && ["accept", "arrive", "outcome"].includes(clock.target))
        .map((clock) => h("li", { "data-due": clock.due }, h("span", {}, say(`clock_${clock.target}`)), h("b", {})))),
      h("p", { class: "note" }, say("caution"))),
    drawPictures(task),
    state.way?.id === task.dispatch_id ? drawWay(task.dispatch_id, state.way.way) : null,
  ];
}

function drawPictures(task) {
  const shown = state.pictures?.id === task.dispatch_id ? state.pictures.items : null;
  return h("section", { class: "card" }, h("h2", {}, say("pictures")),
    h("button", { class: "go second small", type: "button", id: "show-pictures", onclick: () => (shown ? hidePictures() : showPictures(task)) },
      say(shown ? "hide_pictures" : "show_pictures")),
    shown && h("div", { class: "pictures" }, shown.map((item) =>
      h("figure", { class: item.which === "scene" ? "wide" : null },
        item.address ? h("img", { src: item.address, alt: say(item.which) }) : h("p", { class: "soft" }, item.why),
        h("figcaption", {}, say(item.which))))));
}

function drawNothing() {
  return [h("section", { class: "card" }, h("h1", {}, say("no_task")), h("p", { class: "soft" }, say("no_task_more")))];
}

function drawPost() {
  if (!state.post) return null;
  const places = state.post.places;
  const here = places.find((place) => place.place_id === state.post.place_id);
  return h("section", { class: "card side" }, h("h2", {}, say("my_post")),
    h("p", {}, here ? placeWords(here) : say("off_duty"), " ", here && h("span", { class: "soft" }, say("post_since", { at: clockTime(state.post.since) }))),
    h("div", { class: "row" },
      h("select", { id: "place", "aria-label": say("choose_place") }, places.map((place) =>
        h("option", { value: place.place_id, selected: place.place_id === state.post.place_id }, placeWords(place)))),
      h("button", { class: "go small fit", type: "button", id: "check-in", onclick: () => move(document.getElementById("place").value) }, say("check_in"))),
    h("p", {}),
    h("div", { class: "row" },
      here && h("button", { class: "go second small", type: "button", onclick: () => move(null) }, say("go_off")),
      h("button", { class: "go second small", type: "button", onclick: leave }, say("sign_out"))));
}

function drawEarlier(task) {
  const earlier = (state.dispatches ?? []).filter((one) => one.dispatch_id !== task?.dispatch_id);
  if (!earlier.length) return null;
  return h("section", { class: "card side" }, h("h2", {}, say("earlier")),
    h("ul", { class: "list" }, earlier.slice(0, 8).map((one) =>
      h("li", {}, h("span", {}, placeWords(one.place)),
        h("span", { class: "tag quiet" }, say(`state_${taskState(one)}`)),
        h("span", { class: "soft right" }, clockTime(one.sent_at))))));
}

function drawDock() {
  const task = state.operator && liveTask();
  const choices = task ? (state.form ? drawForm(task) : drawNext(task)) : null;
  dock.hidden = !choices;
  dock.replaceChildren(...(choices ? [h("div", {}, choices)] : []));
}

function drawNext(task) {
  return NEXT[taskState(task)].map((step) => {
    const opens = step === "outcome" || step === "declined";
    const act = () => (opens ? fill({ kind: step, outcome: null }) : take(task, { step }));
    return h("button", { class: step === "declined" ? "go second small" : "go", type: "button", id: `step-${step}`, onclick: act }, say(step));
  });
}

function drawForm(task) {
  const { kind, outcome } = state.form;
  const back = h("button", { class: "go second small", type: "button", onclick: () => fill(null) }, say("back"));
  if (kind === "declined") {
    return [h("strong", {}, say("why")),
      ...WHYS.map((why) => h("button", { class: "go bad small", type: "button", onclick: () => take(task, { step: "declined", reason: say(why) }) }, say(why))), back];
  }
  if (!outcome) {
    return [h("div", { class: "pair" }, OUTCOMES.map((one) =>
      h("button", { class: one === "genuine_visit" ? "go second across" : "go second", type: "button", id: `outcome-${one}`, onclick: () => fill({ kind, outcome: one }) }, say(one)))), back];
  }
  const note = h("textarea", { id: "note", maxlength: 500, "aria-label": say("note"), placeholder: say("note") });
  const confirm = () => take(task, { step: "outcome", outcome, reason: note.value.trim() });
  return [note, h("button", { class: "go", type: "button", id: "confirm", onclick: confirm }, say("confirm", { what: say(outcome) })), back];
}

function fill(form) {
  state.form = form;
  draw();
}

// Every second: what runs

function tick() {
  const now = Date.now() + state.offsetMs;
  for (const line of document.querySelectorAll("[data-seen]")) {
    line.textContent = say("last_seen", { place: line.dataset.place, ago: ago((now - new Date(line.dataset.seen)) / 1000) });
  }
  for (const clock of document.querySelectorAll("[data-due]")) {
    const left = (new Date(clock.dataset.due) - now) / 1000;
    clock.className = left < 0 ? "late" : "";
    clock.querySelector("b").textContent = say(left < 0 ? "clock_late" : "clock_left", { t: span(Math.abs(left)) });
  }
}

// Acting

async function take(task, { step, outcome = null, reason = "" }) {
  state.form = null;
  const made = { key: crypto.randomUUID(), operatorId: state.operator.operator_id, dispatchId: task.dispatch_id, step, outcome, reason, saidAtMs: Date.now(), refused: null };
  await queue.add(made);
  if (step === "outcome" || step === "declined") hidePictures();
  await readQueue();
  void send();
}

let sending = false;
let retryMs = RETRY_LEAST_MS;
let retryTimer = 0;

async function send() {
  if (sending || !state.operator) return;
  sending = true;
  clearTimeout(retryTimer);
  try {
    for (let step = waiting()[0]; step && state.operator; step = waiting()[0]) {
      if (!(await sendOne(step))) break;
      await readQueue();
    }
  } finally {
    sending = false;
  }
  if (waiting().length && state.operator) {
    retryTimer = setTimeout(send, retryMs);
    retryMs = Math.min(RETRY_MOST_MS, retryMs * 2);
  } else {
    retryMs = RETRY_LEAST_MS;
    await look();
  }
}

// Whether the next one may be sent: the console has this one, or has said no to it for good.
async function sendOne(step) {
  try {
    const after = await api.sendStep(step);
    online(true);
    state.dispatches = (state.dispatches ?? []).map((one) => (one.dispatch_id === after.dispatch_id ? after : one));
    await queue.remove(step.number);
    return true;
  } catch (error) {
    return failed(error, async () => {
      await queue.put({ ...step, refused: error.message });
      return true;
    });
  }
}

async function failed(error, refusedForGood) {
  if (error instanceof api.NoNetwork) {
    online(false);
    return false;
  }
  if (!(error instanceof api.Refused)) throw error;
  online(true);
  if (error.status === 401 || SIGN_IN_CODES.has(error.code)) {
    signedOut(say("session_over"));
    return false;
  }
  if (LATER_CODES.has(error.code)) {
    state.problem = error.message;
    if (error.code === "web.csrf_refused") await api.session().catch(() => null);
    return false;
  }
  return refusedForGood();
}

async function dismiss(step) {
  await queue.remove(step.number);
  await readQueue();
}

async function readQueue() {
  state.steps = await queue.all();
  draw();
}

async function move(placeId) {
  try {
    state.post = await api.checkIn(placeId);
    state.problem = "";
  } catch (error) {
    await failed(error, () => (state.problem = error.message));
    if (error instanceof api.NoNetwork) state.problem = say("try_later");
  }
  draw();
}

async function showPictures(task) {
  const items = await Promise.all(task.pictures.map(async (which) => {
    try {
      return { which, address: URL.createObjectURL(await api.picture(task.dispatch_id, which)) };
    } catch (error) {
      return { which, address: null, why: error instanceof api.Refused && error.status !== 404 ? error.message : say("no_picture") };
    }
  }));
  hidePictures();
  state.pictures = { id: task.dispatch_id, items };
  draw();
}

function hidePictures() {
  for (const item of state.pictures?.items ?? []) if (item.address) URL.revokeObjectURL(item.address);
  state.pictures = null;
  draw();
}

// Looking

async function look() {
  if (!state.operator) return;
  try {
    const found = await api.dispatches();
    online(true);
    state.problem = "";
    state.offsetMs = new Date(found.now) - Date.now();
    state.dispatches = found.dispatches;
    await queue.keep("dispatches", { operatorId: state.operator.operator_id, dispatches: found.dispatches });
    await follow();
  } catch (error) {
    await failed(error, () => (state.problem = error.message));
  }
  draw();
}

async function follow() {
  const task = liveTask();
  if (state.pictures && state.pictures.id !== task?.dispatch_id) hidePictures();
  if (!task) {
    state.way = null;
    state.form = null;
    return;
  }
  if (!state.told.has(task.dispatch_id)) ring(task);
  const mark = `${task.dispatch_id} ${task.last_seen_at} ${state.post?.place_id}`;
  if (state.way?.mark !== mark) {
    const way = await api.wayOf(task.dispatch_id);
    state.way = { id: task.dispatch_id, mark, way };
    await queue.keep("way", state.way);
  }
}

let audio = null;

// Browsers let a page sound only after it was touched once; signing in is such a touch.
document.addEventListener("pointerdown", () => (audio ??= new AudioContext()), { once: true });

function ring(task) {
  navigator.vibrate?.([300, 150, 300, 150, 600]);
  for (const [number, pitch] of [880, 660, 880].entries()) {
    if (audio?.state !== "running") break;
    const tone = new OscillatorNode(audio, { frequency: pitch });
    const volume = new GainNode(audio, { gain: 0.25 });
    tone.connect(volume).connect(audio.destination);
    tone.start(audio.currentTime + number * 0.3);
    tone.stop(audio.currentTime + number * 0.3 + 0.22);
  }
  setTimeout(() => state.told.add(task.dispatch_id), 4000);
}

function online(is) {
  state.online = is;
  drawLine();
}

// Signing in and out

async function submitSignIn(event) {
  event.preventDefault();
  const given = new FormData(event.target);
  try {
    await enter(await api.signIn(given.get("login").trim(), given.get("password"), given.get("code").trim()));
  } catch (error) {
    state.problem = error instanceof api.NoNetwork ? say("try_later") : error.message;
    draw();
  }
}

async function enter(session) {
  state.problem = "";
  if (session.stage !== "full") state.problem = say("setup");
  else if (!session.operator.roles.includes("guard")) state.problem = say("not_guard");
  if (state.problem) return draw();
  state.operator = session.operator;
  await queue.keep("operator", session.operator);
  state.steps = await queue.all();
  await catchUp();
}

async function catchUp() {
  try {
    state.post = await api.post();
    await queue.keep("post", state.post);
  } catch (error) {
    await failed(error, () => (state.problem = error.message));
  }
  await look();
  await send();
}

function signedOut(why) {
  hidePictures();
  Object.assign(state, { operator: null, dispatches: null, post: null, way: null, form: null, problem: why });
  void queue.forget();
  draw();
}

async function leave() {
  try {
    await api.signOut();
  } catch (error) {
    if (error instanceof api.NoNetwork) {
      state.problem = say("try_later");
      return draw();
    }
  }
  signedOut("");
}

// Without a network the page opens with what it saw last; the console decides again as soon as it answers.
async function openKept() {
  state.operator = (await queue.kept("operator")) ?? null;
  const seen = await queue.kept("dispatches");
  if (state.operator && seen?.operatorId === state.operator.operator_id) state.dispatches = seen.dispatches;
  state.post = (await queue.kept("post")) ?? null;
  state.way = (await queue.kept("way")) ?? null;
  state.steps = await queue.all();
}

async function start() {
  try {
    await enter(await api.session());
  } catch (error) {
    if (error instanceof api.NoNetwork) {
      online(false);
      await openKept();
    } else {
      state.steps = await queue.all();
      await queue.forget();
    }
  }
  draw(true);
}

document.getElementById("language").addEventListener("click", () => {
  switchLanguage();
  draw(true);
});
window.addEventListener("online", () => {
  retryMs = RETRY_LEAST_MS;
  void again();
});
window.addEventListener("offline", () => online(false));
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") void again();
  else if (state.pictures) hidePictures(); // no face stays on a screen that was put away
});
setInterval(tick, 1000);
setInterval(() => {
  if (document.visibilityState === "visible") void again();
}, POLL_MS);

let busy = false;

async function again() {
  if (busy || sending) return;
  busy = true;
  try {
    if (!state.operator) return;
    if (!state.online) await api.session().then(catchUp, (error) => failed(error, () => null));
    else await look();
    if (waiting().length && !retryTimer) void send();
  } finally {
    busy = false;
    draw();
  }
}

await start();
if ("serviceWorker" in navigator && window.isSecureContext) void navigator.serviceWorker.register("/guard/sw.js", { scope: "/guard/" });
