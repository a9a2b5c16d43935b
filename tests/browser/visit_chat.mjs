// Visits examples/chat with two tabs that talk to each other. Usage as visit_site.mjs.
import { collect, openPage } from "./chromium.mjs";

const lines = (page) => page.$$eval("#log li", (items) => items.map((item) => item.textContent));

async function say(page, words) {
  await page.fill("#words", words);
  await page.press("#words", "Enter");
}

async function talk(context, url) {
  const first = await openPage(context);
  const second = await openPage(context);
  await first.page.goto(url);
  await first.page.waitForSelector("#log li");
  await second.page.goto(url);
  await second.page.waitForSelector("#log li");
  await say(first.page, "ahoy ⚓");
  await second.page.waitForFunction(() => document.querySelectorAll("#log li").length === 2);
  await say(second.page, "<b>aye</b>");
  await first.page.waitForFunction(() => document.querySelectorAll("#log li").length === 4);
  const state = await first.page.textContent("#state");
  const heard = { first: await lines(first.page), second: await lines(second.page) };
  await second.page.close();
  await first.page.waitForFunction(() => document.querySelectorAll("#log li").length === 5);
  return {
    state,
    heard,
    last: (await lines(first.page)).at(-1),
    complaints: [...first.seen.complaints, ...second.seen.complaints],
  };
}

await collect({ talk });
