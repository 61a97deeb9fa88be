// What the reader has chosen, kept in the address: a link shows what its sender saw. Only what is not the default.

const chosenByReader = new URLSearchParams(location.hash.slice(1));
let addressTimer = 0;

export function recall(key) {
  return chosenByReader.get(key);
}

export function recalledList(key) {
  return (recall(key) ?? "").split(".").filter(Boolean);
}

export function remember(key, value, usual) {
  if (String(value) === String(usual)) chosenByReader.delete(key);
  else chosenByReader.set(key, value);
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => history.replaceState(null, "", `#${chosenByReader}`), 120); // browsers allow few a second
}
