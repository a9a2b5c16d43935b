// Visits examples/events and waits for the clock to tick. Usage as visit_site.mjs.
import { collect, openPage } from "./chromium.mjs";

async function watch(context, url) {
  const { page, seen } = await openPage(context);
  await page.goto(url);
  const times = [];
  for (let i = 0; i < 2; i += 1) {
    const before = times.at(-1) ?? "…";
    await page.waitForFunction((old) => document.querySelector("#time").textContent !== old, before);
    times.push(await page.textContent("#time"));
  }
  return { times, state: await page.textContent("#state"), complaints: seen.complaints };
}

await collect({ watch });
