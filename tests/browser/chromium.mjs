// A fresh Chromium that tells everything it does on the network. The scripts of this folder only collect facts and print
// them as JSON on standard output; tests/integration/test_browser.py judges them.
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--no-first-run",
];

/** The context of a browser with an empty profile in `folder`. */
export function launch(executable, folder) {
  return chromium.launchPersistentContext(`${folder}/profile`, {
    executablePath: executable,
    headless: true,
    ignoreHTTPSErrors: true, // certificates of the tests are nobody's
    args: FLAGS,
  });
}

/** A new page, with what it complained of and what it received. */
export async function openPage(context) {
  const page = await context.newPage();
  const seen = { complaints: [], responses: [], statuses: [] };
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) {
      seen.complaints.push(`console ${message.type()}: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => seen.complaints.push(`script: ${error.message}`));
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText ?? "";
    // Aborted is what the browser itself gave up: a player that goes elsewhere in a film, a page that is left.
    if (why !== "net::ERR_ABORTED") {
      seen.complaints.push(`request: ${request.url()} ${why}`);
    }
  });
  const wire = await context.newCDPSession(page);
  await wire.send("Network.enable");
  wire.on("Network.responseReceived", ({ response }) => {
    if (!response.url.startsWith("http")) {
      return; // data: URLs of the player's buttons
    }
    const url = new URL(response.url);
    seen.responses.push({
      path: url.pathname + url.search,
      status: response.status,
      protocol: response.protocol,
      type: response.mimeType,
      headers: Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value])),
      connection: response.connectionId,
      isReused: response.connectionReused,
      isFromCache: Boolean(response.fromDiskCache || response.fromPrefetchCache),
    });
  });
  // What came on the wire: a 304 is a 200 from the cache to everybody else.
  wire.on("Network.responseReceivedExtraInfo", ({ statusCode }) => seen.statuses.push(statusCode));
  return { page, seen, wire };
}

/** Run a script's steps with one browser, print what they return, always close it. */
export async function collect(steps) {
  const [executable, url, folder] = process.argv.slice(2);
  const context = await launch(executable, folder);
  const facts = {};
  try {
    for (const [name, step] of Object.entries(steps)) {
      facts[name] = await step(context, url, folder);
    }
    facts.version = context.browser()?.version();
  } finally {
    await context.close();
  }
  console.log(JSON.stringify(facts, null, 1));
}
