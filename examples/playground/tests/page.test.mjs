// Drives the page in headless Chromium: node --test page.test.mjs, with the folder of the built page, that
// of the programs' outputs, that of playwright-core, and that of the screenshots in the environment.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';

import { groups } from '../page/programs.js';
import { serve } from '../server.mjs';

const { PAGE, PROGRAMS, MODULES, SCREENSHOTS } = process.env;
const { chromium } = createRequire(join(MODULES, 'package.json'))('playwright-core');

const WASM_MAX = 1_500_000;
const FIRST_RUN_MAX = 1000;
// With a new profile of the browser, and the module compiled.
const VISIT_MAX = 3000;
const VISITS_MAX = 8;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

let server;
let browser;
let page;
let problems = [];

before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  server = await serve(PAGE, 0);
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
});

after(async () => {
  await browser?.close();
  server?.close();
});

// Each test has a page of its own, as after a visit.
beforeEach(async () => {
  await page?.context().close();
  page = await open();
});

async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 1000 }, ...options });
  const opened = await context.newPage();
  problems = [];
  opened.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  opened.on('pageerror', (error) => problems.push(error.message));
  await opened.goto(`http://localhost:${server.address().port}/`);
  await until(opened, 'ready');
  return opened;
}

const until = (at, state) => at.waitForSelector(`body[data-state="${state}"]`, { timeout: 60_000 });

async function choose(file, limit) {
  await page.getByRole('combobox', { name: 'Program' }).selectOption(file);
  if (limit) await page.getByRole('combobox', { name: 'Memory limit' }).selectOption({ label: limit });
  // The source arrives.
  const source = readFileSync(join(PAGE, 'programs', file), 'utf8');
  await page.waitForFunction((text) => document.getElementById('source').value === text, source);
}

const button = (name) => page.getByRole('button', { name, exact: true });

async function run() {
  await button('Run').click();
  await until(page, 'ended');
}

async function output() {
  return page.locator('#output').textContent();
}

async function shoot(name) {
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

test('the module is small, and the first run takes less than a second', async () => {
  const size = statSync(join(PAGE, 'playground.wasm')).size;
  assert.ok(size <= WASM_MAX, `${size} bytes`);
  // The best of some visits, without a cache: from the click to the end of the program, and from the request for
  // the page on. Where more runs than the machine has cores, everything takes longer.
  const load = Math.max(1, loadavg()[0] / availableParallelism());
  const max = FIRST_RUN_MAX * load;
  const best = { run: Infinity, visit: Infinity };
  for (let visit = 1; visit <= VISITS_MAX && (best.run >= max || best.visit >= VISIT_MAX * load); visit += 1) {
    await page.context().close();
    const started = performance.now();
    page = await open();
    const ready = performance.now();
    await run();
    best.run = Math.min(best.run, performance.now() - ready);
    best.visit = Math.min(best.visit, performance.now() - started);
    console.log(`visit ${visit}: ready after ${Math.round(ready - started)} ms; at best, ` +
      `the first run took ${Math.round(best.run)} ms, and the visit ${Math.round(best.visit)} ms`);
  }
  console.log(`${size} bytes; ${load.toFixed(1)} times the load`);
  assert.ok(best.run < max, `${best.run} ms`);
  assert.ok(best.visit < VISIT_MAX * load, `${best.visit} ms`);
});

test('every program prints what the command line prints', async () => {
  const expected = (file, suffix) => {
    const folder = ['tests', 'kernels'].find((it) => existsSync(join(PROGRAMS, it, file)));
    const path = folder && join(PROGRAMS, folder, file.replace('.mochi', suffix));
    return path && existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  };
  let compared = 0;
  for (const { file } of groups.flatMap((group) => group.programs)) {
    const [out, error] = [expected(file, '.out'), expected(file, '.err')];
    if (out === undefined && error === undefined) continue;
    await choose(file);
    await run();
    assert.equal(await output(), out ?? '', file);
    const failure = await page.locator('#failure').textContent();
    if (error === undefined) {
      assert.equal(failure, '', file);
    } else {
      const [, line, column, message] = /^(\d+):(\d+): (.*)/.exec(error);
      assert.ok(failure.startsWith(`Line ${line}, column ${column}: ${message}`), `${file}: ${failure}`);
    }
    compared += 1;
  }
  console.log(`${compared} programs`);
  assert.ok(compared >= 12);
  assert.deepEqual(problems, []);
});

test('an endless program shows its heap while it runs, and is stopped', async () => {
  await choose('endless.mochi');
  await button('Run').click();
  const live = page.locator('#arenas tr', { hasText: 'Struct' }).locator('td').nth(2);
  await page.waitForFunction(() => document.getElementById('output').textContent.includes('allocated 500000 points'), undefined, { timeout: 60_000 });
  assert.ok(Number((await live.textContent()).replaceAll(',', '')) >= 3000);
  assert.match(await page.locator('#totals').textContent(), /^[\d,]+ collections and steps freed [\d,]+ objects/);
  assert.notEqual(await page.locator('#timeline path.young').getAttribute('d'), '');
  await shoot('running');
  await button('Stop').click();
  await until(page, 'ready');
  assert.match(await page.getByRole('status').textContent(), /^Stopped after /);
  // The next program has a worker of its own.
  await choose('closures.mochi');
  await run();
  assert.match(await output(), /^1 2 1 3\n/);
  assert.deepEqual(problems, []);
});

test('a loop that allocates nothing is stopped', async () => {
  await page.getByRole('textbox', { name: 'Source' }).fill('print("before")\nwhile true {}\n');
  await button('Run').click();
  await until(page, 'running');
  await button('Stop').click();
  await until(page, 'ready');
});

test('an error marks its line', async () => {
  await choose('error_list_index.mochi');
  await run();
  assert.match(await page.getByRole('alert').textContent(), /^Line 6, column \d+: index out of range/);
  assert.equal(await page.locator('#gutter .marked').textContent(), '6');
  assert.ok(await page.locator('#mark').isVisible());
  const [mark, line] = [await page.locator('#mark').boundingBox(), await page.locator('#gutter .marked').boundingBox()];
  assert.ok(Math.abs(mark.y - line.y) < 2, `the mark is at ${mark.y}, the line at ${line.y}`);
  await page.getByRole('alert').getByRole('button').first().click();
  const [start, end] = await page.evaluate(() => {
    const source = document.activeElement;
    return [source.selectionStart, source.selectionEnd];
  });
  const source = await page.getByRole('textbox', { name: 'Source' }).inputValue();
  assert.equal(source.slice(0, start).split('\n').length, 6);
  assert.ok(end > start);
  await shoot('error');
  await page.getByRole('textbox', { name: 'Source' }).press('End');
  await page.keyboard.type(' ');
  await page.locator('#mark').waitFor({ state: 'hidden' });
});

test('the inspector follows cells and tells why an object is alive', async () => {
  await choose('cache.mochi');
  await run();
  const inspector = page.locator('#inspector');
  const row = (name) => inspector.locator('tr', { has: page.getByRole('rowheader', { name, exact: true }) });
  await row('global cache').getByRole('button').click();
  await row('"/articles/7"').getByRole('button').click();
  await inspector.getByRole('heading', { name: /^Struct#/ }).waitFor();
  assert.match(await inspector.textContent(), /Struct#\d+Reply\{/);
  await row('body').getByRole('button').click();
  await inspector.getByRole('heading', { name: /^I64Arr#/ }).waitFor();
  assert.match(await inspector.textContent(), /by itself, .* with what only it keeps alive/);
  await button('Why is this alive?').click();
  const steps = inspector.locator('li');
  await steps.nth(2).waitFor();
  const places = await steps.allTextContents();
  assert.match(places[0], /^root: global cache → Map#\d+/);
  assert.match(places[1], /^in Map#\d+: "\/articles\/7" → Struct#\d+/);
  assert.match(places[2], /^in Struct#\d+: body → I64Arr#\d+/);
  await shoot('inspector');
  await button('Back').click();
  await inspector.getByText('with what only it keeps alive').waitFor();
  // The handle of an object that a collection frees is stale.
  await page.locator('#arenas').getByRole('button', { name: 'Struct' }).click();
  await inspector.getByText(/live objects of kind Struct/).waitFor();
  assert.deepEqual(problems, []);
});

test('garbage is found and freed', async () => {
  await page.getByRole('textbox', { name: 'Source' }).fill('var list = ["the first", "list"]\nlist = ["another", "of them"]\nprint(len(list))\n');
  await run();
  const inspector = page.locator('#inspector');
  await page.locator('#arenas').getByRole('button', { name: 'List' }).click();
  await inspector.getByText('2 live objects of kind List').waitFor();
  await inspector.getByRole('button', { name: 'List#0' }).click();
  await button('Why is this alive?').click();
  await inspector.getByText('It is not: nothing reaches it.').waitFor();
  await button('Back').click();
  await button('Why is this alive?').waitFor();
  await button('Collect').click();
  await inspector.getByText('The object is gone').waitFor();
  assert.match(await page.locator('#totals').textContent(), /^[\d,]+ collections/);
});

test('a memory limit ends a program with an error', async () => {
  await choose('limit.mochi', '4 MiB');
  await run();
  assert.match(await page.getByRole('alert').textContent(), /^Line [78], column \d+: out of memory: limit reached/);
  assert.match(await page.getByRole('status').textContent(), /^Failed after/);
  const label = await page.locator('#timeline svg').getAttribute('aria-label');
  const reserved = /^([\d.]+) MiB reserved/.exec(label);
  assert.ok(reserved && Number(reserved[1]) > 2 && Number(reserved[1]) <= 4, label);
  // What it had kept can be looked at.
  await page.locator('#inspector').getByRole('button').first().waitFor();
  await shoot('limit');
});

test('recursion without end is an error of the program', async () => {
  await page.getByRole('textbox', { name: 'Source' }).fill('fun down(n: int): int { return down(n + 1) + 1 }\nprint(down(0))\n');
  await run();
  assert.match(await page.getByRole('alert').textContent(), /stack overflow/);
});

test('sources nested too deeply are errors, and do not exhaust the stack of the browser', async () => {
  const nested = (before, inside, after) => (n) => before.repeat(n) + inside + after.repeat(n);
  const sources = {
    parentheses: (n) => `print(${nested('(', '1', ')')(n)})`,
    lists: (n) => `print(${nested('[', '1', ']')(n)})`,
    calls: (n) => `print(${nested('str(', '1', ')')(n)})`,
    blocks: nested('if true {\n', 'print(1)\n', '}\n'),
    loops: nested('for i in 0..1 {\n', 'print(1)\n', '}\n'),
    functions: (n) => `let f = ${'fun(): any => '.repeat(n)}1\n`,
    matches: (n) => `print(${nested('match 1 { 1 => ', '1', ' _ => 2 }')(n)})`,
    queries: (n) => `let xs = [1]\nprint(${nested('(from x in xs select ', '1', ')')(n)})`,
    maps: (n) => `print(${nested('{"a": ', '1', '}')(n)})`,
    negations: (n) => `print(${'!'.repeat(n)}true)`,
    sums: (n) => `let s = "a"\nprint(s${' + s'.repeat(n)})`,
  };
  for (const [name, source] of Object.entries(sources)) {
    for (const depth of [90, 1200]) {
      await page.evaluate((text) => {
        document.getElementById('source').value = text;
      }, source(depth));
      await button('Run').click();
      await page.waitForSelector('body:is([data-state="ended"], [data-state="ready"])');
      const failure = await page.getByRole('alert').textContent();
      assert.equal(await page.locator('body').getAttribute('data-state'), 'ended', `${name}, ${depth}: ${failure}`);
      if (depth > 1000) assert.match(failure, /nested|too many|too deep/, name);
    }
  }
});

test('a trap ends the program, and the next one can run', async () => {
  // A module whose only function, `request`, traps.
  const body = Buffer.from('0061736d0100000001040160000003020100050301000107140206'
    + '6d656d6f727902000772657175657374' + '00000a0501030000' + '0b', 'hex');
  await page.route('**/playground.wasm', (route) => route.fulfill({ body, contentType: 'application/wasm' }));
  await page.reload();
  await until(page, 'ready');
  for (let n = 0; n < 2; n += 1) {
    await button('Run').click();
    await page.getByRole('status').getByText('Failed.').waitFor();
    await until(page, 'ready');
    assert.match(await page.getByRole('alert').textContent(), /^The browser has ended the program: unreachable/);
  }
});

test('much output is cut', async () => {
  await page.getByRole('textbox', { name: 'Source' }).fill('for i in 0..400000 { print("a line of output", i) }\n');
  await run();
  const text = await output();
  assert.ok(text.length < 300_000, `${text.length}`);
  assert.match(text, /… and [\d.]+ MiB more, which are not shown\n$/);
});

test('it is used by keyboard, and its controls have names', async () => {
  const names = await page.evaluate(() => [...document.querySelectorAll('button, select, textarea, svg, [tabindex="0"]')].map((it) => {
    const label = it.labels?.[0]?.textContent ?? it.getAttribute('aria-label') ?? document.getElementById(it.getAttribute('aria-labelledby'))?.textContent;
    return (label ?? it.textContent).trim();
  }));
  assert.ok(names.length >= 8 && names.every((name) => name), JSON.stringify(names));
  await page.getByRole('textbox', { name: 'Source' }).focus();
  await page.keyboard.press('Control+Enter');
  await until(page, 'ended');
  // Tab leaves the editor.
  await page.keyboard.press('Tab');
  assert.notEqual(await page.evaluate(() => document.activeElement.id), 'source');
  await page.locator('#inspector').getByRole('button').first().focus();
  await page.keyboard.press('Enter');
  await page.locator('#inspector').getByText('by itself').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H3');
  for (const role of ['log', 'status', 'alert']) assert.equal(await page.getByRole(role).count(), 1, role);
});

for (const [name, options] of Object.entries({
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  narrow: { colorScheme: 'light', viewport: { width: 360, height: 740 } },
  'narrow-dark': { colorScheme: 'dark', viewport: { width: 360, height: 740 } },
})) {
  test(`it is whole in ${name}`, async () => {
    await page.context().close();
    page = await open(options);
    await choose('binary_trees.mochi');
    await run();
    await shoot(`${name}-trees`);
    await choose('fragments.mochi');
    await run();
    await button('Collect').click();
    await page.locator('#inspector').getByRole('button').first().click();
    await page.locator('#inspector').getByText('by itself').waitFor();
    const gaps = page.locator('#arenas tr', { hasText: 'I64Arr' }).locator('td').last();
    assert.ok(parseInt(await gaps.textContent(), 10) > 10, 'what was freed between two objects is a gap');
    await shoot(name);
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `${content} pixels of content in ${window}`);
    const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const isDark = Number(/\d+/.exec(back)[0]) < 128;
    assert.equal(isDark, options.colorScheme === 'dark', back);
    assert.deepEqual(problems, []);
  });
}
