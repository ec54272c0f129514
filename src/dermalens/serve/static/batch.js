// Several images: each is sent on its own, two at a time; the table sorts, and can be taken away as CSV.
import { save, toCsv } from "./csv.js";
import { isBusy, sleep, takeImages, waitFor } from "./images.js";
import { percentIn } from "./percent.js";

const AT_ONCE = 2;
const TRIES = 20;
const find = (id) => document.getElementById(id);
const box = find("batch");
const words = box.dataset;
const names = JSON.parse(words.names);
const limit = Number(words.limit);
const percent = percentIn(words.language);
const body = find("answers").tBodies[0];
let rows = [];
let sorted = { key: null, up: true };
let stopping = new AbortController();
let running = 0;

const isShown = (row) => row.answer && row.answer.decision !== "abstain";
const keys = {
  name: (row) => row.name,
  decision: (row) => (row.error ? "error" : row.answer ? row.answer.decision : "waiting"),
  malignant: (row) => (isShown(row) ? row.answer.malignant_probability : -1),
  diagnosis: (row) => (isShown(row) ? names[row.answer.diagnosis] ?? row.answer.diagnosis : ""),
};

function draw(row) {
  const [name, decision, malignant, diagnosis] = row.element.cells;
  name.textContent = row.name;
  const verdict = row.answer?.decision;
  const label = { refer: words.textRefer, reassure: words.textReassure, abstain: words.textAbstain }[verdict];
  const pill = document.createElement("span");
  pill.textContent = row.error ? words.textError : label ?? row.state;
  pill.className = verdict ? `pill ${verdict}` : row.error ? "pill refer" : "";
  decision.replaceChildren(pill);
  malignant.textContent = isShown(row) ? percent(row.answer.malignant_probability) : "–";
  diagnosis.textContent = row.error ?? (isShown(row) ? `${keys.diagnosis(row)} (${percent(row.answer.probabilities[row.answer.diagnosis])})` : row.answer ? row.reasons : "");
  diagnosis.classList.toggle("row-error", Boolean(row.error));
  diagnosis.classList.toggle("reason", !isShown(row));
}

function count() {
  const done = rows.filter((row) => row.answer || row.error).length;
  find("progress").max = rows.length;
  find("progress").value = done;
  find("progress-words").textContent = words.textProgress.replace("{done}", done).replace("{total}", rows.length);
  find("csv").disabled = done === 0;
  find("stop").hidden = running === 0;
}

function sort() {
  if (!sorted.key) return;
  const key = keys[sorted.key];
  const compare = (a, b) => (typeof key(a) === "number" ? key(a) - key(b) : String(key(a)).localeCompare(String(key(b)), words.language, { numeric: true }));
  rows.sort((a, b) => (sorted.up ? 1 : -1) * compare(a, b));
  body.append(...rows.map((row) => row.element));
}

// None for an image that was waiting for a busy server when all was stopped.
async function ask(row) {
  const { signal } = stopping;
  for (let tries = 1; ; tries += 1) {
    const data = new FormData();
    data.set("image", row.file, "image");
    if (words.prevalence) data.set("prevalence", words.prevalence);
    const response = await fetch("/v1/predictions", { method: "POST", body: data });
    if (!isBusy(response)) return response;
    if (signal.aborted) return null;
    if (tries === TRIES) return response;
    const seconds = waitFor(response);
    row.state = words.textAgain.replace("{seconds}", seconds);
    draw(row);
    await sleep(seconds, signal);
    if (signal.aborted) return null;
  }
}

// The API speaks English; the page says its sentences in the reader's language.
async function tell(sentences) {
  if (words.language === "en") return sentences.join(" ");
  const said = sentences.map(async (text) => {
    const response = await fetch(`/say?text=${encodeURIComponent(text)}`);
    return response.ok ? (await response.json()).text : text;
  });
  return (await Promise.all(said)).join(" ");
}

async function answer(row) {
  row.state = words.textWorking;
  draw(row);
  try {
    const response = await ask(row);
    if (!response) return drop([row]);
    const content = await response.json();
    if (response.ok) {
      const [reasons, recommendation] = await Promise.all([tell(content.reasons), tell([content.recommendation])]);
      Object.assign(row, { answer: content, reasons, recommendation });
    } else row.error = await tell([content.detail ?? content.title ?? String(response.status)]);
  } catch {
    row.error = words.textFailed;
  }
  row.file = null;
  draw(row);
  count();
}

function drop(gone) {
  for (const row of gone) row.element.remove();
  rows = rows.filter((row) => !gone.includes(row));
  count();
}

async function work() {
  running += 1;
  for (let row = next(); row; row = next()) await answer(row);
  running -= 1;
  count();
  if (running === 0) sort();
}

function next() {
  const row = stopping.signal.aborted ? null : rows.find((one) => one.file && !one.isTaken);
  if (row) row.isTaken = true;
  return row;
}

// On a phone the cells stand one under another, with their head beside them; the roles keep them a table then.
const CELLS = [
  { tag: "th", role: "rowheader" },
  { tag: "td", role: "cell", className: "decision-cell" },
  { tag: "td", role: "cell", className: "number", isLabelled: true },
  { tag: "td", role: "cell", isLabelled: true },
];

function cellOf({ tag, role, className = "", isLabelled = false }, index) {
  const cell = document.createElement(tag);
  cell.setAttribute("role", role);
  cell.className = className;
  if (tag === "th") cell.scope = "row";
  if (isLabelled) cell.dataset.label = find("answers").tHead.rows[0].cells[index].textContent.trim();
  return cell;
}

function add(file) {
  const row = { name: file.name || "image", file, state: words.textWaiting, element: document.createElement("tr") };
  row.element.setAttribute("role", "row");
  row.element.append(...CELLS.map(cellOf));
  body.append(row.element);
  rows.push(row);
  draw(row);
}

takeImages(find("drop"), [find("images")], (files, input) => {
  const room = Math.max(limit - rows.filter((row) => row.file).length, 0);
  find("batch-note").textContent = words.textTooMany;
  find("batch-note").hidden = files.length <= room;
  find("batch-results").hidden = false;
  if (stopping.signal.aborted) stopping = new AbortController();
  files.slice(0, room).forEach(add);
  if (input) input.value = "";
  count();
  for (let worker = running; worker < AT_ONCE; worker += 1) work();
  count();
});

find("stop").addEventListener("click", () => {
  stopping.abort();
  drop(rows.filter((row) => row.file && !row.isTaken));
});

for (const button of find("answers").tHead.querySelectorAll("button")) {
  button.addEventListener("click", () => {
    sorted = { key: button.dataset.key, up: sorted.key === button.dataset.key ? !sorted.up : true };
    for (const head of find("answers").tHead.rows[0].cells) head.setAttribute("aria-sort", "none");
    button.closest("th").setAttribute("aria-sort", sorted.up ? "ascending" : "descending");
    sort();
  });
}

find("csv").addEventListener("click", () => {
  const codes = Object.keys(rows.find((row) => row.answer)?.answer.probabilities ?? {});
  const head = ["image", "diagnosis", ...codes, "malignant_probability", "decision", "operating_point", "bundle_sha256", "reasons", "recommendation", "error", "prevalence", "threshold"];
  const lines = rows.filter((row) => row.answer || row.error).map((row) => {
    const found = row.answer;
    if (!found) return [row.name, "", ...codes.map(() => ""), "", "", "", "", "", "", row.error, "", ""];
    // An answer that abstains is none: it goes without class and numbers here, as on the page.
    const seen = isShown(row) ? [found.diagnosis, ...codes.map((code) => found.probabilities[code]), found.malignant_probability] : ["", ...codes.map(() => ""), ""];
    return [row.name, ...seen, found.decision, found.operating_point.name, found.bundle.sha256, row.reasons, row.recommendation, "", found.prevalence?.malignant, found.operating_point.threshold];
  });
  save("dermalens.csv", toCsv(head, lines));
});
