// Visits a page whose links go ahead of it (103): what was told ahead, and that the page came all the same. Usage as
// visit_site.mjs.
import { collect, openPage } from "./chromium.mjs";

async function load(context, url) {
  const { page, seen, wire } = await openPage(context);
  const hints = [];
  wire.on("Network.responseReceivedEarlyHints", ({ headers }) => hints.push(headers));
  const answer = await page.goto(url, { waitUntil: "networkidle" });
  const colour = await page.evaluate(() => getComputedStyle(document.body).color);
  return { status: answer.status(), hints, colour, complaints: seen.complaints };
}

await collect({ load });
