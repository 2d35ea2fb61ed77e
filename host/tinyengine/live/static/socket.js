// The connection to the server: opened again by itself whenever it breaks.

const FIRST = 400, LONGEST = 4000; // milliseconds

function tabName() {
  let name = sessionStorage.getItem("tab");
  if (!name) {
    name = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("tab", name);
  }
  return name;
}

/** on(event) for events, onPicture(blob), onLink(open). */
export class Connection {
  constructor(on, onPicture, onLink) {
    Object.assign(this, { on, onPicture, onLink, wait: FIRST });
    this.open();
  }

  open() {
    const address = new URL("socket", location.href);
    address.protocol = location.protocol.replace("http", "ws");
    address.searchParams.set("tab", tabName());
    this.socket = new WebSocket(address);
    this.socket.binaryType = "blob";
    this.socket.onopen = () => { this.wait = FIRST; this.onLink(true); };
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.on(JSON.parse(data)) : this.onPicture(data));
    this.socket.onclose = () => {
      this.onLink(false);
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 1.7, LONGEST);
    };
  }

  get ready() { return this.socket.readyState === WebSocket.OPEN; }

  send(order, more = {}) {
    if (this.ready) this.socket.send(JSON.stringify({ do: order, ...more }));
  }

  picture(blob) {
    if (this.ready && this.socket.bufferedAmount < 1e6) this.socket.send(blob);
  }
}
