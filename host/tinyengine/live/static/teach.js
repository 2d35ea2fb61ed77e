// The list of classes with their keys, and what a training has brought.

import { classColor } from "./charts.js";

const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
export { element };

/** Buttons that are held: by pointer, by Space or Enter, or by the key of their number. */
export class Classes {
  constructor(list, begin, end, remove) {
    Object.assign(this, { list, begin, end, remove, rows: new Map(), held: null });
    addEventListener("blur", () => this.release());
  }

  names() { return [...this.rows.keys()]; }

  show(classes, enabled) {
    const wanted = classes.map(({ name }) => name);
    if (wanted.join("\n") !== this.names().join("\n")) this.build(wanted);
    classes.forEach(({ name, samples, taught }) => {
      const row = this.rows.get(name);
      row.count.textContent = samples === 1 ? "1 sample" : `${samples} samples`;
      row.tag.hidden = !taught;
      row.drop.hidden = samples > 0 || taught;
      row.button.disabled = row.drop.disabled = !enabled;
    });
    if (!enabled) this.release();
  }

  build(names) {
    this.release();
    const thumbs = new Map([...this.rows].map(([name, row]) => [name, row.thumb]));
    this.rows.clear();
    this.list.replaceChildren(...names.map((name, index) => {
      const thumb = thumbs.get(name) ?? element("canvas", { width: 72, height: 72 });
      thumb.setAttribute("aria-hidden", "true");
      const count = element("span", { className: "count" });
      const tag = element("span", { className: "tag", textContent: "learned" });
      const button = element("button", { type: "button", className: "hold" },
        ...(index < 9 ? [element("kbd", { textContent: index + 1 })] : []), thumb,
        element("span", { className: "name", textContent: name }), tag, count);
      button.style.setProperty("--color", `var(--c${index % 9})`);
      button.setAttribute("aria-pressed", "false");
      if (index < 9) button.setAttribute("aria-keyshortcuts", String(index + 1));
      button.title = `hold to collect samples of ${name}`;
      button.addEventListener("pointerdown", (event) => {
        if (event.button === 0 && !button.disabled) { button.setPointerCapture(event.pointerId); this.hold(name); }
      });
      for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(kind, () => this.release(name));
      button.addEventListener("keydown", (event) => {
        if ((event.key === " " || event.key === "Enter") && !event.repeat) { event.preventDefault(); this.hold(name); }
      });
      button.addEventListener("keyup", (event) => {
        if (event.key === " " || event.key === "Enter") { event.preventDefault(); this.release(name); }
      });
      const drop = element("button", { type: "button", className: "drop ghost", textContent: "✕" });
      drop.setAttribute("aria-label", `remove the class ${name}`);
      drop.addEventListener("click", () => this.remove(name));
      this.rows.set(name, { button, count, tag, drop, thumb });
      return element("li", {}, button, drop);
    }));
  }

  hold(name) {
    const row = this.rows.get(name);
    if (!row || row.button.disabled || this.held === name) return;
    this.release();
    this.held = name;
    row.button.setAttribute("aria-pressed", "true");
    this.begin(name);
  }

  release(name = this.held) {
    if (this.held === null || this.held !== name) return;
    this.rows.get(name)?.button.setAttribute("aria-pressed", "false");
    this.held = null;
    this.end(name);
  }

  /** A sample has been kept: how many there are now. */
  kept({ class: name, samples }) {
    const row = this.rows.get(name);
    if (!row) return;
    row.count.textContent = samples === 1 ? "1 sample" : `${samples} samples`;
    row.drop.hidden = true;
  }

  /** What the last sample of a class looks like. */
  showLast(name, picture) {
    const { naturalWidth: width, naturalHeight: height } = picture, side = Math.min(width, height);
    this.rows.get(name)?.thumb.getContext("2d").drawImage(picture, (width - side) / 2, (height - side) / 2, side, side, 0, 0, 72, 72);
  }
}

const percent = (share) => `${(100 * share).toFixed(share === 1 || share === 0 ? 0 : 1)} %`;

/** Before and after, and which class was taken for which. */
export function showLesson(place, lesson) {
  place.hidden = !lesson;
  if (!lesson) return;
  const parts = [];
  const { before, after } = lesson;
  if (before && after) {
    const figure = (title, found) => element("div", {}, element("span", { className: "quiet", textContent: title }),
      element("b", { textContent: percent(found.accuracy) }));
    const turn = element("div", { className: after.accuracy < before.accuracy ? "turn worse" : "turn" }, figure("before", before),
      element("span", { className: "arrow", textContent: "→" }), figure("after", after),
      element("p", { className: "quiet", textContent: `of ${after.count} held-out samples right; trained on ${lesson.trained_on}, ${lesson.steps} steps at rate ${lesson.rate}` }));
    turn.id = "turn";
    parts.push(turn);
  }
  if (lesson.interrupted) parts.push(element("p", { className: "hint", textContent: `Stopped after ${lesson.steps} steps; the board holds what it has learned so far.` }));
  if (lesson.diverged_at !== null) parts.push(element("p", { className: "hint", textContent: `The loss rose, so the board has its weights of step ${lesson.kept_step} back: choose a smaller rate, or auto.` }));
  if (after) {
    const named = (index) => lesson.classes[index] ?? String(index);
    const shown = after.confusion.map((row, index) => [index, row]).filter(([, row]) => row.some(Boolean));
    const columns = after.confusion[0].map((_, index) => index).filter((k) => k < lesson.classes.length || after.confusion.some((row) => row[k]));
    const head = element("tr", {}, element("th", { scope: "col", textContent: "is" }), ...columns.map((k) => element("th", { scope: "col", textContent: named(k) })));
    const rows = shown.map(([index, row]) => element("tr", {}, element("th", { scope: "row", textContent: named(index) }),
      ...columns.map((k) => element("td", { className: k === index ? "right" : "", textContent: row[k] }))));
    parts.push(element("table", {}, element("caption", { textContent: "held-out samples: what they are, and what they are taken for" }), element("thead", {}, head), element("tbody", {}, ...rows)));
  }
  place.replaceChildren(...parts);
}

export { classColor, percent };
