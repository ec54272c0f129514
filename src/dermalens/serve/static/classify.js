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

  const crop = new Crop(
    {
      image, stage: find("stage"), square: find("square"), shade: find("shade"),
      sliders: { left: find("square-left"), upper: find("square-upper"), side: find("square-side") },
    },
    () => { value.value = crop.value; },
  );
  find("square-centre").addEventListener("click", () => crop.centre());

  const complain = (text) => {
    find("form-error").textContent = text;
    find("form-error").hidden = !text;
  };

  const show = (file) => {
    chosen = file;
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
    if (files[0].size > Number(words.mostBytes)) return complain(words.textLarge);
    show(files[0]);
  });

  const body = () => {
    const data = new FormData(form);
    data.set("image", chosen, chosen.name || "image");
    return data;
  };

  const ask = async () => {
    for (let tries = 1; ; tries += 1) {
      const response = await fetch(form.action, { method: "POST", body: body(), headers: { "X-Fragment": "1", Accept: "text/html" } });
      if (!isBusy(response) || tries === TRIES) return response;
      find("working-words").textContent = words.textBusy;
      await sleep(waitFor(response));
    }
  };

  // The square in the sharpness of the original, under the layers; the server's own is as small as the model sees it.
  const sharpen = () => {
    const base = place.querySelector(".layer-base");
    if (!base || !crop.width || find("crop").hidden) return;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 640;
    canvas.getContext("2d").drawImage(image, crop.left, crop.upper, crop.side, crop.side, 0, 0, 640, 640);
    canvas.toBlob((blob) => { if (blob) base.src = URL.createObjectURL(blob); }, "image/jpeg", 0.9);
  };

  const put = (html) => {
    place.innerHTML = html;
    place.hidden = false;
    reveal(place);
    connectLayers(place);
    sharpen();
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
    try {
      const response = await ask();
      if (response.redirected && !response.url.endsWith("/answer")) return location.assign(response.url);
      // What never reached a page, as a body that is too large, is told as problem details.
      if (!response.headers.get("content-type")?.startsWith("text/html")) return complain((await response.json()).detail);
      put(await response.text());
    } catch (error) {
      complain(words.textFailed);
      if (!(error instanceof TypeError)) throw error; // fetch gives a TypeError where there is no server
    } finally {
      setWorking(false);
    }
  });
}
