// Steps wait in IndexedDB until the console has them: a tap is never lost by a dead spot, a closed page or a flat battery.
// Each has the key that makes a resent step the same step, the time of the tap, and whose it is.

const NAME = "guard";

let opening = null;

function open() {
  opening ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("steps", { keyPath: "number", autoIncrement: true });
      asked.result.createObjectStore("seen");
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  return opening;
}

async function act(store, mode, work) {
  const db = await open();
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(store, mode, { durability: "strict" });
    const asked = work(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(asked?.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

export const add = (step) => act("steps", "readwrite", (store) => store.add(step));
export const all = () => act("steps", "readonly", (store) => store.getAll());
export const put = (step) => act("steps", "readwrite", (store) => store.put(step));
export const remove = (number) => act("steps", "readwrite", (store) => store.delete(number));

// What was seen last, so that the page opens without a network: places and times, never a face or a name.
export const keep = (name, value) => act("seen", "readwrite", (store) => store.put(value, name));
export const kept = (name) => act("seen", "readonly", (store) => store.get(name));
export const forget = () => act("seen", "readwrite", (store) => store.clear());
