// Images come in by choice, by drop and by paste; each way ends in the same call.
export function takeImages(zone, inputs, take) {
  for (const input of inputs) {
    input.addEventListener("change", () => {
      if (input.files.length) take([...input.files], input);
    });
  }
  const stop = (event) => event.preventDefault();
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      stop(event);
      zone.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    stop(event);
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files], null);
  });
  // A file that misses the zone must not replace the page.
  window.addEventListener("dragover", stop);
  window.addEventListener("drop", stop);
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) take(files, null);
  });
}

export function waitFor(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) : 2;
}

export const isBusy = (response) => response.status === 429 || response.status === 503;
// Ends early where the signal is given up.
export const sleep = (seconds, signal) => new Promise((done) => {
  if (signal?.aborted) return done();
  setTimeout(done, seconds * 1000);
  signal?.addEventListener("abort", done, { once: true });
});
