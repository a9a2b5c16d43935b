// The crew board: a fixed crew of four cooks, a queue of orders, and a graceful closing time. What the page
// plays, the server does with threads.
const crew = [...document.querySelectorAll("#crew output")];
const queueText = document.querySelector("#queue");
const waiting = [];
let served = 0;
let isClosing = false;

function show() {
  queueText.textContent = isClosing && waiting.length === 0 && !crew.some((cook) => cook.order)
    ? `The galley is closed: ${served} orders served, every cook has gone home.`
    : `${waiting.length} waiting, ${served} served${isClosing ? ", no new orders are taken" : ""}.`;
}

function work(cook) {
  const order = waiting.shift();
  cook.order = order;
  cook.classList.toggle("busy", Boolean(order));
  cook.textContent = order ? `order ${order}` : "free";
  if (order) {
    setTimeout(() => {
      served += 1;
      cook.order = undefined;
      work(cook);
      show();
    }, 400 + Math.random() * 900);
  }
}

let nextOrder = 1;
document.querySelector("#order")?.addEventListener("click", () => {
  if (isClosing) {
    return;
  }
  for (let i = 0; i < 6; i += 1) {
    waiting.push(nextOrder);
    nextOrder += 1;
  }
  crew.filter((cook) => !cook.order).forEach(work);
  show();
});
document.querySelector("#close")?.addEventListener("click", () => {
  isClosing = true;
  show();
});

// How this page came: the protocol and the size on the wire, from the browser's own timing.
const arrival = document.querySelector("#arrival");
if (arrival) {
  const [page] = performance.getEntriesByType("navigation");
  const style = performance.getEntriesByType("resource").find((entry) => entry.name.endsWith("/style.css"));
  const parts = [`This page came by ${page.nextHopProtocol || "http/1.1"} in ${page.encodedBodySize} bytes`];
  if (style && style.encodedBodySize < style.decodedBodySize) {
    parts.push(`its style sheet compressed from ${style.decodedBodySize} to ${style.encodedBodySize}`);
  }
  arrival.textContent = `${parts.join(", ")}.`;
}
