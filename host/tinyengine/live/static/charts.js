// Drawings on canvases, in the colours of the style sheet.

export const COLOURS = 9;
export const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
export const classColor = (index) => color(`c${index % COLOURS}`);

/** A context in CSS pixels, cleared. */
function prepared(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

/** Answers of the last seconds: a column for each, as wide as it was valid, its classes one above the other. */
export class Past {
  constructor(canvas, seconds = 12) {
    Object.assign(this, { canvas, span: seconds * 1000, answers: [] });
  }

  add(probabilities) {
    const now = performance.now();
    this.answers.push({ at: now, probabilities });
    while (this.answers.length > 1 && this.answers[1].at < now - this.span) this.answers.shift();
  }

  clear() { this.answers = []; }

  draw() {
    const { pen, width, height } = prepared(this.canvas);
    const now = performance.now(), x = (at) => Math.max(0, width * (1 - (now - at) / this.span));
    const colors = Array.from({ length: COLOURS }, (_, index) => classColor(index));
    this.answers.forEach(({ at, probabilities }, k) => {
      const left = x(at), right = Math.min(x(this.answers[k + 1]?.at ?? now), x(at + 5000));
      let top = 0;
      probabilities.forEach((share, index) => {
        pen.fillStyle = colors[index % COLOURS];
        pen.fillRect(left, top, Math.max(right - left - 0.5, 0.5), share * height);
        top += share * height;
      });
    });
  }
}

/** Loss (line, left axis) and share of right answers (line, right axis) over the steps, as running means. */
export function drawCurve(canvas, points) {
  const { pen, width, height } = prepared(canvas);
  const left = 34, right = width - 38, top = 12, bottom = height - 20;
  const window = Math.max(5, Math.min(50, Math.round(points.length / 8)));
  const mean = (values) => {
    let sum = 0;
    return values.map((value, k) => {
      sum += value - (k >= window ? values[k - window] : 0);
      return sum / Math.min(k + 1, window);
    });
  };
  const losses = mean(points.map(([loss]) => (Number.isFinite(loss) ? loss : 0)));
  const hits = mean(points.map(([, hit]) => (hit ? 1 : 0)));
  const highest = Math.max(0.1, ...losses) * 1.05;
  pen.font = "11px system-ui, sans-serif";
  pen.strokeStyle = color("line");
  pen.fillStyle = color("quiet");
  for (const share of [0, 0.5, 1]) {
    const y = bottom - share * (bottom - top);
    pen.beginPath(); pen.moveTo(left, y); pen.lineTo(right, y); pen.stroke();
    pen.textAlign = "right"; pen.fillText((share * highest).toFixed(1), left - 5, y + 4);
    pen.textAlign = "left"; pen.fillText(`${Math.round(share * 100)}%`, right + 5, y + 4);
  }
  const line = (values, top1, stroke, dash) => {
    pen.strokeStyle = stroke; pen.lineWidth = 2; pen.setLineDash(dash);
    pen.beginPath();
    values.forEach((value, k) => {
      const x = left + ((right - left) * k) / Math.max(values.length - 1, 1), y = bottom - (value / top1) * (bottom - top);
      k ? pen.lineTo(x, y) : pen.moveTo(x, y);
    });
    pen.stroke(); pen.setLineDash([]); pen.lineWidth = 1;
  };
  line(hits, 1, classColor(2), [5, 3]);
  line(losses, highest, classColor(0), []);
  pen.textAlign = "left";
  pen.fillStyle = classColor(0); pen.fillText("— loss", left + 4, height - 5);
  pen.fillStyle = classColor(2); pen.fillText("- - right answers", left + 54, height - 5);
  pen.fillStyle = color("quiet"); pen.textAlign = "right"; pen.fillText(`${points.length} steps`, right, height - 5);
}

const KINDS = { input: "c2", tensor: "c0", output: "c3", "row buffer": "c1", scratch: "c8" };

/** Addresses from bottom to top, a column per layer; what lies there while ``now`` runs is bright. */
export function drawArena(canvas, places, layers, bytes, now) {
  const { pen, width, height } = prepared(canvas);
  const left = 52, bottom = height - 22, column = (width - left - 4) / layers;
  const y = (address) => bottom - (address / bytes) * (bottom - 6);
  pen.fillStyle = color("warn-back");
  pen.fillRect(left + now * column, 0, Math.max(column, 2), bottom);
  for (const place of places) {
    const here = place.first <= now && now <= place.last;
    pen.globalAlpha = here ? 0.95 : 0.4;
    pen.fillStyle = color(KINDS[place.kind] ?? "c8");
    const top = y(place.address + place.bytes);
    pen.fillRect(left + place.first * column + 0.5, top, Math.max((place.last - place.first + 1) * column - 1, 1), Math.max(y(place.address) - top - 0.5, 1));
  }
  pen.globalAlpha = 1;
  pen.font = "11px system-ui, sans-serif"; pen.fillStyle = color("quiet"); pen.textAlign = "right";
  for (const share of [0, 0.5, 1]) pen.fillText(`${((bytes * share) / 1024).toFixed(0)} KB`, left - 6, y(bytes * share) + 5);
  let x = left;
  pen.textAlign = "left";
  for (const [kind, name] of Object.entries(KINDS)) {
    if (!places.some((place) => place.kind === kind)) continue;
    pen.fillStyle = color(name); pen.fillRect(x, height - 13, 9, 9);
    pen.fillStyle = color("quiet"); pen.fillText(kind, x + 13, height - 5);
    x += 22 + pen.measureText(kind).width;
  }
}

/** Boxes of a detector over a picture that lies in the middle of its stage, as large as fits. */
export function drawBoxes(canvas, boxes, picture) {
  const { pen, width, height } = prepared(canvas);
  const { naturalWidth: wide, naturalHeight: high } = picture;
  if (!wide || !high) return;
  const scale = Math.min(width / wide, height / high), left = (width - wide * scale) / 2, top = (height - high * scale) / 2;
  pen.font = "600 14px system-ui, sans-serif";
  pen.lineWidth = 3;
  for (const box of boxes) {
    const x = left + box.left * wide * scale, y = top + box.top * high * scale, name = `${box.class} ${Math.round(100 * box.score)} %`;
    pen.strokeStyle = pen.fillStyle = classColor(box.index);
    pen.strokeRect(x, y, (box.right - box.left) * wide * scale, (box.bottom - box.top) * high * scale);
    pen.fillRect(x - 1.5, y - 20, pen.measureText(name).width + 12, 20);
    pen.fillStyle = "#fff";
    pen.fillText(name, x + 4, y - 5);
  }
}
