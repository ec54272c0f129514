// The classify page: shows the picture at once, lets the square be placed, and puts the answer on the page.
import { Crop } from "./crop.js";
import { isBusy, sleep, takeImages, waitFor } from "./images.js";
import { connectLayers } from "./layers.js";
import { reveal } from "./page.js";

const TRIES = 4;
const find = (id) => document.getElementById(id);
const form = find("classify");

if (form) {
  const words = form.dataset;
  const image = find("preview");
  const place = find("answer");
  const value = find("square-value");
  let chosen = null;
  let sending = null;

  const crop = new Crop(
    {
      image, stage: find("stage"), square: find("square"), shade: find("shade"),
      sliders: { left: find("square-left"), upper: find("square-upper"), side: find("square-side") },
    },
    () => { value.value = crop.value; },
    (shares) => {
      find("status").textContent = words.textSquare.replace(/\{(\w+)\}/g, (_, name) => shares[name]);
    },
  );
  find("square-centre").addEventListener("click", () => crop.centre());

  const complain = (text) => {
    find("form-error").textContent = text;
    find("form-error").hidden = !text;
  };

  const show = (file) => {
    chosen = file;
    sending?.abort(); // an answer must not be read as that of another image
    place.hidden = true;
    place.replaceChildren();
    complain("");
    value.value = "";
    crop.clear();
    find("drop").classList.add("has-image");
    find("chosen").textContent = words.textChosen.replace("{name}", file.name || "…");
    find("chosen").hidden = false;
    URL.revokeObjectURL(image.src);
    find("crop").hidden = false;
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

  takeImages(find("drop"), [find("image"), find("photo")], (files) => {
    if (files[0].type && !files[0].type.startsWith("image/")) return complain(words.textForeign);
    if (!files[0].size) return complain(words.textEmpty);
    if (files[0].size > Number(words.mostBytes)) return complain(words.textLarge);
    show(files[0]);
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
    const title = place.querySelector("h2");
    find("status").textContent = `${words.textReady} ${title?.textContent ?? ""}`;
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
    setWorking(true);
    sending = new AbortController();
    const { signal } = sending;
    const canvas = sharp();
    try {
      const response = await ask(body(), signal);
      if (response.redirected && new URL(response.url).pathname !== "/answer") return location.assign(response.url);
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
