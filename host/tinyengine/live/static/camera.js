// The browser's camera: one picture is under way at a time, the next is taken when the board has answered.

const SIDE = 480; // longer side of what is sent
const PATIENCE = 3000; // milliseconds after which an answer is not waited for any more

export class Camera {
  constructor(video, send) {
    Object.assign(this, { video, send, stream: null, timer: 0, canvas: document.createElement("canvas") });
  }

  get on() { return this.stream !== null; }

  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("this browser gives its camera only to pages at 127.0.0.1, localhost or https: open the page there, or use --source");
    }
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 } } });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.take();
  }

  stop() {
    clearTimeout(this.timer);
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = this.video.srcObject = null;
  }

  /** The board has answered: send what the camera sees now. */
  take() {
    clearTimeout(this.timer);
    if (!this.on) return;
    this.timer = setTimeout(() => this.take(), PATIENCE);
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width) return;
    const scale = Math.min(1, SIDE / Math.max(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    this.canvas.toBlob((blob) => { if (blob && this.on) this.send(blob); }, "image/jpeg", 0.92);
  }
}
