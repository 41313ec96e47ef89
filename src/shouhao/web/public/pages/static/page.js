// What makes pages kinder where scripts run; without any of it they work.

// One tap is one request: the button says that it heard, and a second tap sends nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  const ask = form.dataset.ask;
  if (ask && !window.confirm(ask)) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  if (event.submitter) event.submitter.setAttribute("aria-busy", "true");
});
// A page that the back button brings out of memory may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});

// Clocks: how long is left, by the server's time, so that a phone whose clock is wrong shows the same.
const clocks = [...document.querySelectorAll("[data-until]")];
if (clocks.length) {
  const asked = performance.now();
  const answer = await fetch("/now", { cache: "no-store" }).then((said) => said.json()).catch(() => null);
  const ahead = answer ? answer.now_ms - (asked + performance.now()) / 2 : Date.now() - performance.now();
  const english = document.documentElement.lang === "en";
  const tick = () => {
    for (const clock of clocks) {
      const left = Math.round((Date.parse(clock.dataset.until) - (performance.now() + ahead)) / 1000);
      if (left <= 0) {
        clock.textContent = english ? "time is over" : "已到时限";
        if (!clock.dataset.over) {
          clock.dataset.over = "yes";
          if (clock.dataset.reload) setTimeout(() => location.reload(), 1500);
        }
        continue;
      }
      if (left > 86400) continue;
      const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
      const two = (number) => String(number).padStart(2, "0");
      const before = clock.dataset.bare ? "" : english ? "left " : "还剩 ";
      clock.textContent = `${before}${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds)}`;
    }
  };
  tick();
  setInterval(tick, 1000);
}

// Pages that wait for something look again by themselves while they are seen.
const again = document.querySelector("[data-look-again-s]");
if (again) {
  setInterval(() => {
    if (document.visibilityState === "visible" && !document.querySelector("input:focus,select:focus")) location.reload();
  }, Number(again.dataset.lookAgainS) * 1000);
}
