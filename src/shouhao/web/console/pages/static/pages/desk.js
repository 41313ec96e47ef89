// Patients' desk: the window, photo reviews, the care pool, extra slots, refunds; each role sees what is theirs.

import { get } from "../api.js";
import { h, refusal, show } from "../dom.js";
import { say } from "../words.js";
import { carePool } from "../desk/care_pool.js";
import { extraSlots } from "../desk/extra.js";
import { refunds } from "../desk/refunds.js";
import { reviews } from "../desk/reviews.js";
import { serve } from "../desk/serve.js";

const KEYS = ["F2", "F4", "F8"];
const TYPED_IN = ["INPUT", "TEXTAREA", "SELECT"];

export async function page(place, { who }) {
  const { roles, doctor_id: doctorId } = who.operator;
  const has = (...some) => some.some((role) => roles.includes(role));
  const told = (name) => (count) => {
    const mark = place.querySelector(`[data-count="${name}"]`);
    if (mark) mark.textContent = count ? ` ${count}` : "";
  };
  // name: words, whether it is this operator's, what opens it, what counts it before it is open
  const tabs = [
    ["window", say("窗口办理", "Window"), has("window"), (main) => serve(main)],
    ["reviews", say("证件照审核", "ID photos"), has("reviewer"), (main) => reviews(main, { told: told("reviews") }), async () => (await get("/photo-reviews", { limit: 1 })).waiting],
    ["care", say("照护号源", "Care pool"), has("window", "outpatient_office"), (main) => carePool(main, { serves: has("window"), told: told("care") }), async () => (await get("/care-pool")).sessions.reduce((sum, one) => sum + one.left, 0)],
    ["extra", say("加号", "Extra slots"), has("approver") || doctorId, (main) => extraSlots(main, { doctorId, decides: has("approver"), told: told("extra") }), async () => (has("approver") ? (await get("/extra-slots")).requests.filter((it) => !it.mine).length : 0)],
    ["refunds", say("待退费", "Refunds"), has("window"), (main) => refunds(main, { told: told("refunds") }), async () => (await get("/refunds")).refunds.length],
  ].filter(([, , mine]) => mine);
  if (!tabs.length) return show(place, h("h1", {}, say("患者服务台", "Patients’ desk")), h("p", { class: "empty" }, say("您的角色在这里没有工作。", "Your roles have no work here.")));

  const asked = new URLSearchParams(location.search).get("tab");
  const [name, title, , open] = tabs.find(([one]) => one === asked) || tabs[0];
  const main = h("div", { class: `desk desk-${name}` });
  show(
    place,
    h("h1", {}, say("患者服务台", "Patients’ desk"), h("small", { class: "soft" }, ` ${title}`)),
    tabs.length > 1 ? h("nav", { class: "tabs", "aria-label": say("服务台的工作", "Work of the desk") }, h("ul", {}, tabs.map(([one, words]) => h("li", {}, h("a", { href: `?tab=${one}`, "aria-current": one === name ? "page" : null }, words, h("b", { "data-count": one })))))) : null,
    main,
  );
  // Function keys act anywhere; others only where nobody types.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (!KEYS.includes(event.key) && (event.key.length > 1 || TYPED_IN.includes(event.target.tagName))) return;
    if (KEYS.includes(event.key)) event.preventDefault();
    main.dispatchEvent(new CustomEvent("desk-key", { detail: event.key.length > 1 ? event.key : event.key.toLowerCase() }));
  });
  try {
    await open(main);
  } catch (error) {
    show(main, refusal(error));
  }
  for (const [one, , , , count] of tabs) if (count && one !== name) count().then(told(one), () => {});
}
