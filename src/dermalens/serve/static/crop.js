// The square over the picture, in pixels of the upright original: naturalWidth and naturalHeight obey EXIF.
const LEAST = 64; // pixels; below it the answer abstains for a picture that is too small

export class Crop {
  constructor(parts, changed, told) {
    Object.assign(this, parts); // image, stage, square, shade, sliders {left, upper, side}
    this.changed = changed;
    this.told = told; // after a key: where the square is now, for who cannot see it
    this.touches = new Map();
    this.square.addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      this.stage.addEventListener(name, (event) => this[name](event));
    }
    for (const slider of Object.values(this.sliders)) slider.addEventListener("input", () => this.slide());
    new ResizeObserver(() => this.draw()).observe(this.image);
  }

  get width() { return this.image.naturalWidth; }
  get height() { return this.image.naturalHeight; }
  get largest() { return Math.min(this.width, this.height); }
  get least() { return Math.min(LEAST, this.largest); }
  get scale() { return this.width / this.image.clientWidth || 1; }

  get isPlaced() { return Boolean(this.side && this.width); }

  // The picture is gone; until the next one is decoded there is no square to see or to move, and who was on it comes back to it.
  clear() {
    this.wasFocused = document.activeElement === this.square;
    this.side = 0;
    this.reveal(false);
  }

  reveal(isShown) {
    for (const part of [this.square, this.shade]) part.toggleAttribute("hidden", !isShown);
    if (!isShown || !this.wasFocused) return;
    this.wasFocused = false;
    if (document.activeElement === document.body) this.square.focus({ preventScroll: true });
  }

  centre() {
    const side = this.largest;
    this.isCentre = true;
    this.place((this.width - side) / 2, (this.height - side) / 2, side, true);
  }

  place(left, upper, side, isCentre = false) {
    this.side = Math.min(Math.max(side, this.least), this.largest);
    this.left = Math.min(Math.max(left, 0), this.width - this.side);
    this.upper = Math.min(Math.max(upper, 0), this.height - this.side);
    this.isCentre = isCentre;
    this.draw();
    this.changed();
  }

  zoom(factor, x = this.left + this.side / 2, y = this.upper + this.side / 2) {
    const side = Math.min(Math.max(this.side * factor, this.least), this.largest);
    const ratio = side / this.side;
    this.place(x - (x - this.left) * ratio, y - (y - this.upper) * ratio, side);
  }

  // What the form sends: empty for the centre, whole pixels otherwise.
  get value() {
    if (this.isCentre || !this.width) return "";
    const side = Math.max(1, Math.floor(this.side));
    const left = Math.min(Math.round(this.left), this.width - side);
    const upper = Math.min(Math.round(this.upper), this.height - side);
    return [left, upper, side].join(",");
  }

  draw() {
    if (!this.isPlaced || !this.image.clientWidth) return;
    const { left, upper, side, scale, width, height } = this;
    Object.assign(this.square.style, {
      left: `${left / scale}px`, top: `${upper / scale}px`, width: `${side / scale}px`, height: `${side / scale}px`,
    });
    this.shade.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.shade.firstElementChild.setAttribute("d", `M0 0H${width}V${height}H0zM${left} ${upper}h${side}v${side}h${-side}z`);
    for (const [name, slider] of Object.entries(this.sliders)) slider.value = this.shares[name];
    this.reveal(true);
  }

  // In per cent of the room that there is, as the sliders have it.
  get shares() {
    const share = (value, room) => String(room > 0 ? Math.round((100 * value) / room) : 50);
    const { left, upper, side, width, height } = this;
    return { left: share(left, width - side), upper: share(upper, height - side), side: share(side, this.largest) };
  }

  slide() {
    if (!this.isPlaced) return;
    const side = (this.largest * this.sliders.side.value) / 100;
    const at = (slider, length) => ((length - side) * slider.value) / 100;
    this.place(at(this.sliders.left, this.width), at(this.sliders.upper, this.height), side);
  }

  key(event) {
    if (!this.isPlaced) return;
    const step = this.largest * (event.shiftKey ? 0.1 : 0.02);
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key in moves) this.place(this.left + moves[event.key][0], this.upper + moves[event.key][1], this.side);
    else if (event.key === "+" || event.key === "=") this.zoom(1 / 0.92); // the square grows, as with the slider and two fingers
    else if (event.key === "-") this.zoom(0.92);
    else if (event.key === "Home") this.centre();
    else return;
    event.preventDefault();
    this.told(this.shares);
  }

  wheel(event) {
    if (!this.isPlaced) return;
    if (document.activeElement !== this.square && !event.ctrlKey) return; // the page scrolls until the square is chosen
    event.preventDefault();
    this.zoom(event.deltaY < 0 ? 1 / 0.94 : 0.94);
  }

  at(event) {
    const box = this.image.getBoundingClientRect();
    return { x: (event.clientX - box.left) * this.scale, y: (event.clientY - box.top) * this.scale };
  }

  pointerdown(event) {
    if (event.button > 0 || !this.isPlaced) return;
    const point = this.at(event);
    const isInside = point.x >= this.left && point.x <= this.left + this.side && point.y >= this.upper && point.y <= this.upper + this.side;
    if (!isInside) this.place(point.x - this.side / 2, point.y - this.side / 2, this.side);
    this.touches.set(event.pointerId, point);
    this.stage.setPointerCapture(event.pointerId);
    this.square.focus({ preventScroll: true });
    event.preventDefault();
  }

  pointermove(event) {
    const before = this.touches.get(event.pointerId);
    if (!before) return;
    const now = this.at(event);
    if (this.touches.size === 2) {
      const [other] = [...this.touches].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
      const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      this.zoom(apart(now) / apart(before)); // the square grows with the fingers that hold it
    } else {
      this.place(this.left + now.x - before.x, this.upper + now.y - before.y, this.side);
    }
    this.touches.set(event.pointerId, now);
  }

  pointerup(event) { this.touches.delete(event.pointerId); }
  pointercancel(event) { this.touches.delete(event.pointerId); }
}
