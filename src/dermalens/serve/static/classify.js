// The classify page: shows the picture at once, lets the square be placed, and puts the answer on the page.
import { Crop } from "./crop.js";
import { isBusy, sleep, takeImages, waitFor } from "./images.js";
import { connectLayers } from "./layers.js";
import { reveal } from "./page.js";
import { forgetPatient, isPatientNamed } from "./patient.js";

const TRIES = 4;
const find = (id) => document.getElementById(id);
const form = find("classify");
const isNew = performance.getEntriesByType("navigation")[0]?.type === "navigate"; // neither by Back nor by Reload

if (form) {
  const words = form.dataset;
  const image = find("preview");
  const place = find("answer");
  const value = find("square-value");
  const inputs = [find("image"), find("photo")];
  let chosen = null;
  let sending = null;
  let isAnswered = false; // what the form says of the patient belongs to an image that has its answer
  let isChanged = false; // since it was sent

  const mark = () => {
    const isEarlier = isChanged && Boolean(place.querySelector("article.answer"));
    place.classList.toggle("earlier", isEarlier);
    find("earlier").textContent = isEarlier ? words.textEarlier : "";
  };

  const change = () => {
    isChanged = true;
    mark();
  };

  const clearAnswer = () => {
    place.hidden = true;
    place.replaceChildren();
    mark();
  };

  const crop = new Crop(
    {
      image, stage: find("stage"), square: find("square"), shade: find("shade"),
      sliders: { left: find("square-left"), upper: find("square-upper"), side: find("square-side") },
    },
    () => {
      if (value.value === crop.value) return;
      value.value = crop.value;
      change();
    },
    (shares) => {
      find("status").textContent = words.textSquare.replace(/\{(\w+)\}/g, (_, name) => shares[name]);
    },
  );
  find("square-centre").addEventListener("click", () => crop.centre());

  const complain = (text) => {
    find("form-error").textContent = text;
    find("form-error").hidden = !text;
  };

  // The form stays as it is, with its image; the session is of all tabs.
  const askToSignIn = (address) => {
    complain(`${words.textEnded} `);
    const link = Object.assign(document.createElement("a"), { href: address, target: "_blank", textContent: words.textSignIn });
    find("form-error").append(link);
  };

  const beginAnew = () => {
    const isForgotten = isAnswered && isPatientNamed(form);
    if (isForgotten) forgetPatient(form);
    isAnswered = false;
    find("forgotten").textContent = isForgotten ? words.textForgotten : "";
  };

  // The image that will be sent, or none.
  const hold = (file) => {
    chosen = file;
    sending?.abort(); // an answer must not be read as that of another image
    clearAnswer();
    complain("");
    value.value = "";
    crop.clear();
    find("drop").classList.toggle("has-image", Boolean(file));
    find("chosen").hidden = !file;
    find("crop").hidden = !file;
  };

  const show = (file) => {
    hold(file);
    find("chosen").textContent = words.textChosen.replace("{name}", file.name || "…");
    URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(file);
  };
  image.addEventListener("load", () => {
    for (const part of find("crop").children) part.hidden = false;
    crop.centre();
  });
  image.addEventListener("error", () => {
    if (!chosen) return;
    find("crop").hidden = true;
    find("chosen").textContent += ` – ${find("crop").dataset.textUnshown}`;
  });

  // The image of before, which may be another patient's, must not be sent in the place of one that is refused.
  const refuse = (text) => {
    hold(null);
    for (const input of inputs) input.value = "";
    complain(text);
  };

  const take = ([file], source) => {
    if (file.type && !file.type.startsWith("image/")) return refuse(words.textForeign);
    if (!file.size) return refuse(words.textEmpty);
    if (file.size > Number(words.mostBytes)) return refuse(words.textLarge);
    for (const input of inputs) if (input !== source) input.value = ""; // Back must not bring another image
    show(file);
  };

  takeImages(find("drop"), inputs, (files, source) => {
    take(files, source);
    beginAnew();
  });

  // The browser has put the file back, after Back or before this module was there; what was entered goes with it.
  const restore = () => {
    const source = inputs.find((input) => input.files.length);
    if (source && !chosen) take([...source.files], source);
  };
  restore();
  window.addEventListener("pageshow", () => {
    restore();
    if (!isNew) isAnswered ||= isPatientNamed(form); // put back as well; its image may have had its answer
  });

  form.addEventListener("input", (event) => {
    if (event.target.type !== "file") change(); // a file comes by its own way, and may be refused
  });

  const body = () => {
    const data = new FormData(form);
    data.set("image", chosen, chosen.name || "image");
    return data;
  };

  const ask = async (data, signal) => {
    for (let tries = 1; ; tries += 1) {
      const response = await fetch(form.action, { method: "POST", body: data, signal, headers: { "X-Fragment": "1", Accept: "text/html" } });
      if (!isBusy(response) || tries === TRIES) return response;
      find("working-words").textContent = words.textBusy;
      await sleep(waitFor(response), signal);
      signal.throwIfAborted();
    }
  };

  // The square that is sent, in the sharpness of the original; the server's own is as small as the model sees it.
  const sharp = () => {
    if (!crop.width || find("crop").hidden) return null;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 640;
    const drawing = canvas.getContext("2d");
    drawing.fillStyle = "#fff"; // on which the server lays what is transparent
    drawing.fillRect(0, 0, 640, 640);
    drawing.drawImage(image, crop.left, crop.upper, crop.side, crop.side, 0, 0, 640, 640);
    return canvas;
  };

  const sharpen = (canvas) => {
    const base = place.querySelector(".layer-base");
    if (base) canvas?.toBlob((blob) => { if (blob) base.src = URL.createObjectURL(blob); }, "image/jpeg", 0.9);
  };

  const put = (html, canvas) => {
    place.innerHTML = html;
    place.hidden = false;
    reveal(place);
    connectLayers(place);
    sharpen(canvas);
    const named = place.querySelector(".printed-image");
    if (named) named.textContent = chosen.name; // for a print; the server does not learn it
    const title = place.querySelector("h2");
    const hasAnswer = Boolean(place.querySelector("article.answer"));
    find("status").textContent = `${hasAnswer ? words.textReady : ""} ${title?.textContent ?? ""}`;
    isAnswered ||= hasAnswer;
    mark();
    title?.focus({ preventScroll: true });
    place.scrollIntoView({ block: "start" });
  };

  const setWorking = (is) => {
    find("working").hidden = !is;
    find("working-words").textContent = is ? words.textWorking : "";
    find("status").textContent = is ? words.textWorking : find("status").textContent;
    find("send").disabled = is;
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!chosen) {
      complain(words.textNone);
      find("image").focus();
      return;
    }
    complain("");
    clearAnswer();
    isChanged = false;
    find("forgotten").textContent = "";
    setWorking(true);
    sending = new AbortController();
    const { signal } = sending;
    const canvas = sharp();
    try {
      const response = await ask(body(), signal);
      if (response.redirected && new URL(response.url).pathname !== "/answer") return askToSignIn(response.url);
      // What stands between browser and server may say something of its own, as problem details.
      if (!response.headers.get("content-type")?.startsWith("text/html")) return complain((await response.json()).detail);
      const html = await response.text();
      signal.throwIfAborted();
      put(html, canvas);
    } catch (error) {
      if (signal.aborted) return;
      complain(words.textFailed);
      if (!(error instanceof TypeError)) throw error; // fetch gives a TypeError where there is no server
    } finally {
      sending = null;
      setWorking(false);
    }
  });
}
