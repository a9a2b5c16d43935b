// Visits examples/book with two tabs: one asks for the slow page, the other goes on. Usage as visit_site.mjs.
import { collect, openPage } from "./chromium.mjs";

async function tabs(context, url) {
  const slow = await openPage(context);
  const quick = await openPage(context);
  let slowEnded = false;
  const sleeping = slow.page.goto(`${url}sleep`, { timeout: 120000 }).then(() => {
    slowEnded = true;
  });
  const headings = [];
  for (let i = 0; i < 3; i += 1) {
    await quick.page.goto(url);
    headings.push(await quick.page.textContent("h1"));
  }
  const wasWaiting = !slowEnded;
  const icon = await quick.page.evaluate(async () => (await fetch("/favicon.ico")).status);
  await sleeping;
  const slowHeading = await slow.page.textContent("h1");
  const other = await quick.page.goto(`${url}something`);
  return {
    headings,
    wasWaiting,
    icon,
    slowHeading,
    otherStatus: other.status(),
    otherHeading: await quick.page.textContent("h1"),
    responses: [...slow.seen.responses, ...quick.seen.responses],
    complaints: [...slow.seen.complaints, ...quick.seen.complaints],
  };
}

await collect({ tabs });
