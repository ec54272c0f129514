// The layers over the square: on and off, and how strong the heat map is.
function connect(box) {
  const heat = box.querySelector(".layer-heat");
  const slider = box.querySelector("input[type=range]");
  const fade = () => {
    if (heat && slider) heat.style.opacity = String(slider.value / 100);
  };
  slider?.addEventListener("input", fade);
  fade();
  for (const toggle of box.querySelectorAll("[data-toggle]")) {
    const layer = box.querySelector(`.${toggle.dataset.toggle}`);
    const show = () => layer.toggleAttribute("hidden", !toggle.checked);
    toggle.addEventListener("change", show);
    show();
  }
}

export function connectLayers(root) {
  for (const box of root.querySelectorAll("[data-layers]")) connect(box);
}

connectLayers(document);
