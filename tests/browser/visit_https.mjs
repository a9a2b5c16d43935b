// Visits examples/site over HTTPS: the page with all it loads, then many small files at once. Usage as visit_site.mjs.
import { collect, openPage } from "./chromium.mjs";

async function load(context, url) {
  const { page, seen } = await openPage(context);
  const answer = await page.goto(url, { waitUntil: "networkidle" });
  const many = await page.evaluate(async () => {
    const names = Array.from({ length: 40 }, (_, i) => `/?${i}`);
    const answers = await Promise.all(names.map((name) => fetch(name, { cache: "no-store" })));
    return answers.map((answer) => answer.status);
  });
  const security = await answer.securityDetails();
  return {
    many,
    security,
    heading: await page.textContent("h1"),
    isSecure: await page.evaluate(() => window.isSecureContext),
    responses: seen.responses,
    complaints: seen.complaints,
  };
}

await collect({ load });
