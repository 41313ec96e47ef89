// Live: what the server tells as it happens. A lost line heals by itself, and meanwhile the page says that it is deaf.

const DEAF_AFTER_MS = 25000; // the server gives a sign of life every ten seconds

export function listen({ onalarm, onstate }) {
  let source = null;
  let heardAt = performance.now();
  let ahead = 0; // the server's clock before ours, in ms
  let state = "";
  const tell = (next) => {
    if (next !== state) onstate((state = next));
  };
  const heard = (event) => {
    heardAt = performance.now();
    const told = JSON.parse(event.data);
    ahead = Date.parse(told.now) - Date.now();
    tell("live");
    return told;
  };
  const connect = () => {
    if (source) source.close();
    source = new EventSource("/api/v1/staff/alarms/stream");
    source.addEventListener("alarm", (event) => onalarm(heard(event)));
    source.addEventListener("beat", heard);
    source.addEventListener("error", () => {
      tell("lost");
      // A refusal closes the stream for good (signed out, or too many watch): ask anew after a while.
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
    });
  };
  connect();
  const watch = setInterval(() => {
    if (performance.now() - heardAt > DEAF_AFTER_MS) {
      tell("lost");
      heardAt = performance.now();
      connect();
    }
  }, 2000);
  return {
    now: () => Date.now() + ahead,
    close() {
      clearInterval(watch);
      if (source) source.close();
    },
  };
}
