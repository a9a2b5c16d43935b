// Visits examples/site as a person would, and looks closely. Usage: node visit_site.mjs CHROMIUM URL FOLDER
import { collect, openPage } from "./chromium.mjs";

async function home(context, url) {
  const { page, seen } = await openPage(context);
  const answer = await page.goto(url, { waitUntil: "load" });
  const looks = await page.evaluate(async () => {
    await document.fonts.ready;
    const image = document.querySelector("figure img");
    return {
      heading: document.querySelector("h1").textContent,
      paper: getComputedStyle(document.body).backgroundColor,
      isFontReady: document.fonts.check('2rem "Galley Slug"', "Galley"),
      fonts: [...document.fonts].map((face) => `${face.family.replaceAll('"', "")}: ${face.status}`),
      imageWidth: image.complete ? image.naturalWidth : 0,
      arrival: document.querySelector("#arrival").textContent,
    };
  });
  await page.close();
  return { ...seen, ...looks, status: answer.status() };
}

// The script of the page works: orders are taken, cooked, and no more are taken after closing time.
async function buttons(context, url) {
  const { page, seen } = await openPage(context);
  await page.goto(url);
  await page.click("#order");
  const busy = await page.locator("#crew .busy").count();
  await page.click("#close");
  await page.click("#order");
  await page.waitForFunction(() => document.querySelector("#queue").textContent.startsWith("The galley is closed"));
  const queue = await page.textContent("#queue");
  await page.close();
  return { ...seen, busy, queue };
}

async function icons(context, url) {
  const { page, seen } = await openPage(context);
  await page.goto(url);
  const widths = await page.evaluate(async () => {
    const found = {};
    for (const name of ["/favicon.ico", "/favicon.svg"]) {
      const image = new Image();
      image.src = name;
      await image.decode();
      found[name] = image.naturalWidth;
    }
    const manifest = document.querySelector("link[rel=manifest]").href;
    found.manifest = (await (await fetch(manifest)).json()).name;
    return found;
  });
  await page.close();
  return { ...seen, widths };
}

// Over a slow line, so that most of the film is not there yet when it is asked to go on elsewhere.
async function video(context, url) {
  const { page, seen, wire } = await openPage(context);
  await wire.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: 300 * 1024,
    uploadThroughput: -1,
  });
  await page.goto(`${url}media.html`, { waitUntil: "commit" });
  const played = await page.evaluate(async () => {
    const film = document.querySelector("video");
    const until = (name) => new Promise((done) => film.addEventListener(name, done, { once: true }));
    if (film.readyState < HTMLMediaElement.HAVE_METADATA) {
      await until("loadedmetadata");
    }
    const seeked = until("seeked");
    film.currentTime = 15;
    await seeked;
    const from = film.currentTime;
    film.muted = true;
    const moved = new Promise((done) => {
      film.addEventListener("timeupdate", () => film.currentTime > from + 0.1 && done());
    });
    await film.play();
    await moved;
    film.pause();
    return { duration: film.duration, from, width: film.videoWidth, error: film.error?.message ?? null };
  });
  await page.close();
  return { ...seen, ...played };
}

async function missing(context, url) {
  const { page, seen } = await openPage(context);
  const answer = await page.goto(`${url}no/such/page`);
  const heading = await page.textContent("h1");
  const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.close();
  return { ...seen, status: answer.status(), heading, paper };
}

async function redirect(context, url) {
  const { page, seen } = await openPage(context);
  const answer = await page.goto(`${url}guide`);
  const first = await answer.request().redirectedFrom()?.response();
  const end = page.url();
  await page.click("nav a[href='/about/']");
  await page.waitForURL(`${url}about/`);
  await page.goBack();
  const heading = await page.textContent("h1");
  await page.close();
  return { ...seen, status: answer.status(), first: first?.status(), end, heading };
}

// Twelve things at once, past the cache: a browser opens up to six connections and uses them again.
async function atOnce(context, url) {
  const { page, seen } = await openPage(context);
  await page.goto(url);
  seen.responses.length = 0;
  const sizes = await page.evaluate(async () => {
    const names = ["/video/steam.webm", "/style.css", "/app.js", "/img/galley.svg"];
    const all = Array.from({ length: 12 }, (_, i) => `${names[i % names.length]}?${i}`);
    const bodies = await Promise.all(
      all.map(async (name) => (await (await fetch(name, { cache: "no-store" })).arrayBuffer()).byteLength),
    );
    return Object.fromEntries(all.map((name, i) => [name, bodies[i]]));
  });
  await page.close();
  return { ...seen, sizes };
}

// A reload in the middle of a late fetch (the manifest) would leave an empty one to complain about.
async function again(context, url) {
  const { page, seen } = await openPage(context);
  await page.goto(url, { waitUntil: "networkidle" });
  seen.statuses.length = 0;
  await page.reload({ waitUntil: "networkidle" });
  const style = await page.evaluate(async () => (await fetch("/style.css", { cache: "no-cache" })).text());
  await page.close();
  return { ...seen, styleLength: style.length };
}

// To look at: each page, light and dark, narrow and wide. Nothing may be wider than the window.
async function pictures(context, url, folder) {
  const { page, seen } = await openPage(context);
  const overflow = [];
  for (const [name, path] of [["index", ""], ["guide", "guide/"], ["media", "media.html"], ["about", "about/"], ["404", "none"]]) {
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [360, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme });
        await page.goto(url + path);
        await page.evaluate(() => document.fonts.ready);
        await page.screenshot({ path: `${folder}/${name}-${colorScheme}-${width}.png`, fullPage: true });
        if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) {
          overflow.push(`${name} ${width}`);
        }
      }
    }
  }
  await page.close();
  return { overflow, complaints: seen.complaints.filter((text) => !text.includes("404")) };
}

await collect({ home, buttons, icons, video, missing, redirect, atOnce, again, pictures });
