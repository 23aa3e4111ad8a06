// The live page. Data comes from /api/stream (the whole state, once a second) and /api/refusals; it reaches the document as text and as numbers
// in SVG attributes, never as markup.

const SVG = 'http://www.w3.org/2000/svg';
const byId = id => document.getElementById(id);

/** An element with properties and children; strings become text. */
function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === 'class') element.className = value;
    else if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// ---------------------------------------------------------------- words for numbers

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' });

const many = n => n < 10000 ? whole.format(n) : compact.format(n);
const counted = (n, one, more) => `${many(n)} ${n === 1 ? one : more}`;
const perSecond = n => n === 0 ? '0' : n < 10 ? n.toFixed(1) : whole.format(n);
const share = s => s === null || s === undefined ? '–' : s === 1 ? '100 %' : `${(Math.floor(s * 1000) / 10).toFixed(1)} %`;

function milliseconds(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function span(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
  const hours = Math.floor(seconds % 86400 / 3600);
  return `${Math.floor(seconds / 86400)} d${hours > 0 ? ` ${hours} h` : ''}`;
}

const ago = seconds => seconds === null || seconds === undefined ? 'never' : seconds < 2 ? 'now' : `${span(seconds)} ago`;
/** The gateway's clock, which need not be the browser's. */
let skew = 0;
const now = () => Date.now() + skew;
const agoOf = iso => iso ? ago(Math.max(0, (now() - Date.parse(iso)) / 1000)) : 'never';

function bytes(n) {
  if (n < 1024) return `${n} B`;
  return n < 1048576 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1048576).toFixed(1)} MiB`;
}

function timeOf(iso) {
  const at = new Date(iso);
  return now() - at < 12 * 3600e3 ? clock.format(at) : day.format(at);
}

// ---------------------------------------------------------------- drawings

const KINDS = ['refused', 'failed', 'duplicates', 'delivered'];
const CLASS_OF = { delivered: 'delivered', duplicates: 'duplicate', failed: 'failed', refused: 'refused' };

/** Stacked bars, one a second: four paths, whatever the length. */
class Spark {
  constructor(height, label) {
    this.height = height;
    this.paths = {};
    this.svg = draw('svg', { viewBox: `0 0 600 ${height}`, preserveAspectRatio: 'none', class: 'spark', role: 'img', 'aria-label': label });
    for (const kind of KINDS) this.svg.append(this.paths[kind] = draw('path', { class: CLASS_OF[kind] }));
    this.svg.append(draw('path', { class: 'floor', d: `M0 ${height - .5}H600`, fill: 'none' }));
  }

  update(series) {
    const length = series ? series.delivered.length : 60;
    const paths = { delivered: '', duplicates: '', failed: '', refused: '' };
    if (series) {
      let top = 1;
      for (let i = 0; i < length; i++) top = Math.max(top, KINDS.reduce((sum, kind) => sum + series[kind][i], 0));
      const width = 600 / length;
      for (let i = 0; i < length; i++) {
        let y = this.height - 1;
        for (const kind of ['delivered', 'duplicates', 'failed', 'refused']) {
          const count = series[kind][i];
          if (!count) continue;
          const tall = Math.max(count / top * (this.height - 3), 2);
          y -= tall;
          paths[kind] += `M${(i * width + width * .14).toFixed(1)} ${y.toFixed(1)}h${(width * .72).toFixed(1)}v${tall.toFixed(1)}h-${(width * .72).toFixed(1)}z`;
        }
      }
    }
    for (const kind of KINDS) if (this.paths[kind].getAttribute('d') !== paths[kind]) this.paths[kind].setAttribute('d', paths[kind]);
  }
}

/** Two lengths on one track, logarithmic from 0.1 ms to 10 s: half of the requests, and all but one in a hundred. */
class LatencyBar {
  constructor() {
    this.half = draw('rect', { class: 'half', height: 6, rx: 3, x: 0, width: 0 });
    this.tail = draw('rect', { class: 'tail', height: 6, rx: 3, x: 0, width: 0 });
    this.svg = draw('svg', { viewBox: '0 0 200 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, draw('rect', { class: 'track', width: 200, height: 6, rx: 3 }), this.tail, this.half);
  }

  update(p50, p99) {
    const length = ms => ms === null ? 0 : Math.min(200, Math.max(4, Math.log10(ms / .1) / 5 * 200));
    this.half.setAttribute('width', length(p50).toFixed(1));
    this.tail.setAttribute('width', length(p99).toFixed(1));
  }
}

function meter(label, value, part, colour) {
  return make('li', { class: 'meter' }, make('span', {}, label), make('span', { class: 'quiet' }, value),
    draw('svg', { viewBox: '0 0 100 5', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      draw('rect', { class: 'track', width: 100, height: 5, rx: 2.5 }), draw('rect', { class: `fill ${colour}`, width: Math.max(part > 0 ? 1.5 : 0, part * 100).toFixed(1), height: 5, rx: 2.5 })));
}

function chevron() {
  return draw('svg', { class: 'chevron', viewBox: '0 0 24 24', 'aria-hidden': 'true' }, draw('path', { d: 'm9 5 7 7-7 7' }));
}

function empty(title, text, path) {
  return make('div', { class: 'empty' }, draw('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, draw('path', { d: path })), make('b', {}, title), make('span', {}, text));
}

const SHIELD = 'M12 3 5 6v5c0 4.6 3 8.3 7 10 4-1.7 7-5.4 7-10V6zM9 12l2 2 4-4';
const GLOBE = 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3 12h18M12 3c5 5 5 13 0 18-5-5-5-13 0-18';
const ARROWS = 'M4 8h6l4 8h6M4 16h4M16 8h4';

// ---------------------------------------------------------------- overview

class Tile {
  constructor(title) {
    this.big = make('span', { class: 'big' });
    this.under = make('div', { class: 'under' });
    this.row = make('div', { class: 'row' }, this.big);
    this.element = make('div', { class: 'tile' }, make('h3', {}, title), this.row, this.under);
  }

  update(value, unit, under) {
    const text = value + (unit ?? '');
    if (this.text !== text) {
      this.text = text;
      this.big.replaceChildren(value, ...(unit ? [make('small', {}, unit)] : []));
    }
    setText(this.under, under);
  }
}

const overview = {
  rate: new Tile('Requests'),
  success: new Tile('Success'),
  latency: new Tile('p99 latency'),
  refused: new Tile('Refused'),
  flight: new Tile('In flight'),
};
overview.spark = new Spark(96, 'All routes, the last 60 seconds');
const tiles = byId('tiles');
overview.rate.element.classList.add('wide');
overview.rate.element.replaceChildren(make('div', {}, ...overview.rate.element.childNodes), overview.spark.svg);
const RING = 2 * Math.PI * 20;
overview.arc = draw('circle', { class: 'arc', cx: 25, cy: 25, r: 20, 'stroke-dasharray': RING.toFixed(2), 'stroke-dashoffset': RING.toFixed(2) });
overview.ring = draw('svg', { class: 'ring', viewBox: '0 0 50 50', 'aria-hidden': 'true' }, draw('circle', { class: 'track', cx: 25, cy: 25, r: 20 }), overview.arc);
overview.success.element.append(overview.ring);
tiles.append(...[overview.rate, overview.success, overview.latency, overview.refused, overview.flight].map(tile => tile.element));

function sumSeries(all) {
  const present = all.filter(Boolean);
  if (present.length === 0) return null;
  const sum = kind => present[0][kind].map((_, i) => present.reduce((n, series) => n + series[kind][i], 0));
  return { delivered: sum('delivered'), duplicates: sum('duplicates'), failed: sum('failed'), refused: sum('refused') };
}

function showOverview(state) {
  const series = sumSeries([...state.routes.map(route => route.series), state.unrouted.series]);
  const total = key => state.routes.reduce((n, route) => n + route.lately[key], 0);
  const last = n => series ? KINDS.reduce((sum, kind) => sum + series[kind].slice(-n).reduce((a, b) => a + b, 0), 0) : 0;
  const delivered = total('delivered'), duplicates = total('duplicates'), failed = total('failed'), refused = total('refused') + state.unrouted.lately;
  overview.spark.update(series);
  overview.rate.update(perSecond(last(10) / 10), 'per second', `${counted(last(60), 'request', 'requests')} in the last minute`);
  const good = delivered + duplicates + failed === 0 ? null : (delivered + duplicates) / (delivered + duplicates + failed);
  overview.success.update(share(good), '', failed > 0 ? `${many(failed)} failed in 5 min` : good === null ? 'nothing came in 5 min' : `${many(delivered)} delivered in 5 min`);
  overview.arc.setAttribute('stroke-dashoffset', (RING * (1 - (good ?? 0))).toFixed(2));
  overview.arc.setAttribute('visibility', good === null || good === 0 ? 'hidden' : 'visible');
  overview.ring.dataset.level = good === null ? 'none' : good < .5 ? 'red' : good < 1 ? 'yellow' : 'green';
  const slowest = state.routes.filter(route => route.p99Ms !== null).sort((a, b) => b.p99Ms - a.p99Ms)[0];
  const [value, unit] = milliseconds(slowest?.p99Ms).split(' ');
  overview.latency.update(value, unit, slowest ? `slowest: ${slowest.id}` : 'nothing forwarded in 5 min');
  overview.refused.update(many(refused), '', state.unrouted.lately > 0 ? `in 5 min, ${many(state.unrouted.lately)} to no route` : 'in 5 min');
  overview.flight.update(many(state.process.inFlight), `of ${compact.format(state.process.inFlightLimit)}`, `${bytes(state.process.bufferedBytes)} of bodies held`);
}

// ---------------------------------------------------------------- notices

let shownNotices = '';

function showNotices(state) {
  const notices = [];
  const observing = state.routes.filter(route => route.observed.length > 0);
  const unloaded = state.addresses.filter(list => !list.loaded && list.usedBy.length > 0);
  if (state.process.draining) notices.push({ level: 'yellow', title: 'Draining.', text: ' Not ready any more; requests in flight finish, then the process ends.' });
  if (state.config.refused?.isCurrent) {
    const problems = state.config.refused.problems.filter(problem => !problem.isWarning);
    notices.push({
      level: 'red', id: 'refused', title: 'The newest configuration was refused.',
      text: ` Revision ${state.config.revision} stays in force. ${counted(problems.length, 'problem', 'problems')}, read at ${timeOf(state.config.refused.at)}:`,
      items: problems.map(problem => ({ head: problem.path, text: problem.message, place: problem.line ? `line ${problem.line}` : '', hint: problem.hint })),
    });
  }
  if (unloaded.length > 0) notices.push({ level: 'red', title: `${counted(unloaded.length, 'address list was', 'address lists were')} never loaded.`, text: ' Their routes answer 503; the gateway is not ready.', items: unloaded.map(list => ({ head: list.name, text: list.lastError ?? 'not fetched yet' })) });
  if (state.store.state === 'away') notices.push({ level: 'yellow', title: 'The replay store is away.', text: ` ${counted(state.store.writeBackQueued, 'marker waits', 'markers wait')} to be written back; routes that are closed then refuse.` });
  if (observing.length > 0) notices.push({ level: 'yellow', id: 'observing', title: 'Observe mode.', text: ` What these routes would refuse is forwarded: ${observing.map(route => `${route.id} (${route.observed.join(', ')})`).join('; ')}.` });
  const key = JSON.stringify(notices);
  if (key === shownNotices) return;
  shownNotices = key;
  byId('notices').replaceChildren(...notices.map(notice => make('div', { class: `notice ${notice.level}`, 'data-notice': notice.id }, make('b', {}, notice.title), notice.text,
    notice.items && make('ul', {}, ...notice.items.slice(0, 20).map(item => make('li', {}, item.head && make('code', {}, item.head), item.place ? ` (${item.place})` : '', item.head ? ': ' : '', item.text, item.hint && make('span', { class: 'hint' }, item.hint)))))));
}

// ---------------------------------------------------------------- routes

class RouteRow {
  constructor(id) {
    this.id = id;
    this.pill = make('span', { class: 'pill', role: 'img' });
    this.title = make('b', {}, id);
    this.tags = make('span', { class: 'tags' });
    this.where = make('span', { class: 'where' });
    this.spark = new Spark(34, `${id}, the last 60 seconds`);
    this.rate = make('span', { class: 'num', 'data-label': 'per second' });
    this.success = make('span', { class: 'num success', 'data-label': 'success' });
    this.latency = new LatencyBar();
    this.quantiles = make('span');
    this.last = make('span', { class: 'num last', 'data-label': 'last delivery' });
    this.body = make('div', { class: 'more-of', id: `route-${id}`, hidden: true });
    this.button = make('button', { type: 'button', 'aria-expanded': 'false', 'aria-controls': `route-${id}`, onclick: () => this.toggle() },
      make('span', { class: 'name' }, this.pill, make('span', {}, this.title, this.tags), this.where),
      make('span', { class: 'graph' }, this.spark.svg), this.rate, this.success,
      make('span', { class: 'latency', 'data-label': 'p50 / p99' }, this.quantiles, this.latency.svg), this.last, chevron());
    this.element = make('li', { class: 'route', 'data-route': id }, this.button, this.body);
  }

  toggle() {
    this.body.hidden = !this.body.hidden;
    this.button.setAttribute('aria-expanded', String(!this.body.hidden));
    if (!this.body.hidden) this.showBody();
  }

  update(route) {
    this.route = route;
    if (this.pill.className !== `pill ${route.health.colour}`) this.pill.className = `pill ${route.health.colour}`;
    this.pill.setAttribute('aria-label', `${route.health.colour}: ${route.health.why[0] ?? ''}`);
    this.pill.setAttribute('title', route.health.why.join('\n'));
    const refused = route.lately.refused;
    const tags = [route.observed.length > 0 && ['yellow', 'observing'], refused > 0 && [route.health.colour === 'red' && route.lately.failed === 0 ? 'red' : '', `${many(refused)} refused`], route.lately.failed > 0 && ['red', `${many(route.lately.failed)} failed`]].filter(Boolean);
    const key = JSON.stringify(tags);
    if (this.tagKey !== key) {
      this.tagKey = key;
      this.tags.replaceChildren(...tags.map(([level, text]) => make('span', { class: `tag ${level}` }, text)));
    }
    const alarm = route.health.colour === 'red';
    this.where.className = alarm ? 'where alarm' : 'where';
    setText(this.where, alarm ? route.health.why[0] : route.provider ? `${route.path} · ${route.provider}` : route.path);
    this.spark.update(route.series);
    setText(this.rate, perSecond(route.rate));
    setText(this.success, share(route.success));
    setText(this.quantiles, route.p50Ms === null ? '–' : `${milliseconds(route.p50Ms)} / ${milliseconds(route.p99Ms)}`);
    this.latency.update(route.p50Ms, route.p99Ms);
    setText(this.last, ago(route.deliveredSecondsAgo));
    if (!this.body.hidden) this.showBody();
  }

  showBody() {
    const route = this.route;
    const { deliveredSecondsAgo, series, rate, ...stable } = route;
    const key = JSON.stringify(stable);
    if (this.bodyKey === key) return;
    this.bodyKey = key;
    const most = Math.max(1, ...route.reasons.map(reason => reason.lately));
    const answers = route.statuses.reduce((a, b) => a + b, 0);
    const total = route.total;
    this.body.replaceChildren(...[
      make('div', { class: 'why' }, make('h3', {}, 'Health'), make('ul', {}, ...route.health.why.map(why => make('li', {}, why)))),
      make('div', {}, make('h3', {}, 'Reasons of refusal, 5 min'), route.reasons.length === 0 ? make('p', { class: 'quiet' }, 'Nothing was refused.') : make('ul', {}, ...route.reasons.slice(0, 8).map(reason => meter(reason.reason, `${many(reason.lately)}, ${many(reason.total)} in all`, reason.lately / most, '')))),
      route.wouldRefuse.length > 0 && make('div', {}, make('h3', {}, 'Would be refused, 5 min'), make('ul', {}, ...route.wouldRefuse.slice(0, 8).map(reason => meter(reason.reason, `${many(reason.lately)}, ${many(reason.total)} in all`, reason.lately / Math.max(1, ...route.wouldRefuse.map(r => r.lately)), '')))),
      make('div', {}, make('h3', {}, 'Duration, 5 min'), histogram(route.latency)),
      make('div', {}, make('h3', {}, 'Answers of the app, 5 min'), answers === 0 ? make('p', { class: 'quiet' }, 'It was not asked.') : make('ul', {}, ...route.statuses.map((count, i) => count > 0 && meter(`${i + 1}xx`, many(count), count / answers, i === 1 ? 'green' : 'red'))),
        route.lastFailure && make('p', { class: 'sub' }, `Last failure ${ago(route.lastFailure.secondsAgo)}: ${route.lastFailure.status ?? route.lastFailure.reason}${route.lastFailure.inRow > 1 ? `, ${route.lastFailure.inRow} in a row` : ''}`)),
      make('div', {}, make('h3', {}, 'Upstream'), make('ul', {}, ...route.upstream.map(destination => make('li', {}, make('span', { class: 'mono' }, destination.address), ' ', make('span', { class: `tag ${destination.state === 'down' ? 'red' : destination.state === 'up' ? 'green' : ''}` }, destination.state === 'unknown' ? 'not checked' : destination.state), destination.inFlight > 0 && make('span', { class: 'quiet' }, ` ${destination.inFlight} in flight`))))),
      make('div', {}, make('h3', {}, 'Rules'), make('ul', {}, make('li', {}, 'Path: ', make('span', { class: 'mono' }, route.path)), make('li', {}, `From: ${route.allow.join(', ')}`), make('li', {}, `Checks: ${route.checks.join(' → ')}`))),
      make('div', {}, make('h3', {}, 'Secrets'), secrets(route.secrets)),
      route.attempts && make('div', {}, make('h3', {}, 'Before the sender gives up'), attempts(route.attempts)),
      make('div', {}, make('h3', {}, 'Since the start'), make('ul', {}, make('li', {}, `${many(total.delivered)} delivered, ${many(total.duplicates)} duplicates`), make('li', {}, `${many(total.failed)} failed, ${many(total.refused)} refused`), total.challenges > 0 && make('li', {}, `${many(total.challenges)} challenges answered`))),
    ].filter(Boolean));
  }
}

function attempts(of) {
  const worst = of.worstEvent && meter(`event ${of.worstEvent.slice(0, 12)}…`, `${of.worstAttempts} of ${of.limit} attempts failed`, of.worstAttempts / of.limit, 'red');
  return make('ul', {}, ...[
    make('li', {}, of.failing === 0 ? `No event is failing; each is sent ${counted(of.limit, 'time', 'times')} at most.` : `${counted(of.failing, 'event', 'events')} failing, ${of.nearLimit} with one attempt left.`),
    worst,
    of.givenUp > 0 && make('li', {}, make('b', { class: 'tag red' }, `${many(of.givenUp)} given up since the start`)),
    of.switchesOffAfter !== null && make('li', { class: 'quiet' }, `${of.inARow} failed in a row; after ${of.switchesOffAfter} the sender switches the webhook off.`),
  ].filter(Boolean));
}

function secrets(list) {
  if (list.length === 0) return make('p', { class: 'quiet' }, 'This route has none.');
  return make('ul', {}, ...list.map(secret => make('li', {}, make('span', { class: 'mono' }, secret.id), make('span', { class: 'sub' }, `matched ${agoOf(secret.lastMatchedAt)}`, secret.removable && make('b', { class: 'tag green' }, 'unused for 24 h: safe to remove')))));
}

function histogram(counts) {
  const first = counts.findIndex(count => count > 0);
  if (first < 0) return make('p', { class: 'quiet' }, 'Nothing was forwarded.');
  let last = counts.length - 1;
  while (counts[last] === 0) last--;
  const from = Math.max(0, first - 1), to = Math.min(counts.length - 1, Math.max(last + 1, from + 5));
  const top = Math.max(...counts), width = 300 / (to - from + 1);
  const at = i => milliseconds(.064 * 2 ** i);
  const bars = [];
  for (let i = from; i <= to; i++) {
    const tall = counts[i] === 0 ? 0 : Math.max(2, counts[i] / top * 62);
    bars.push(draw('rect', { x: ((i - from) * width + 1.5).toFixed(1), y: (64 - tall).toFixed(1), width: (width - 3).toFixed(1), height: tall.toFixed(1), rx: 2 }));
  }
  return make('div', {}, draw('svg', { class: 'histogram', viewBox: '0 0 300 64', preserveAspectRatio: 'none', role: 'img', 'aria-label': `Durations from ${at(from)} to ${at(to + 1)}` }, ...bars), make('div', { class: 'axis' }, make('span', {}, at(from)), make('span', {}, at(to + 1))));
}

const routeRows = new Map();

function showRoutes(state) {
  const list = byId('routes');
  if (state.routes.length === 0) {
    routeRows.clear();
    if (!list.querySelector('.empty')) list.replaceChildren(make('li', {}, empty('No routes', 'Write one into routes.json; it is taken within a second.', ARROWS)));
    return;
  }
  const known = new Set(state.routes.map(route => route.id));
  for (const [id, row] of routeRows) {
    if (known.has(id)) continue;
    row.element.remove();
    routeRows.delete(id);
  }
  list.querySelector('.empty')?.parentElement.remove();
  state.routes.forEach((route, index) => {
    let row = routeRows.get(route.id);
    if (!row) routeRows.set(route.id, row = new RouteRow(route.id));
    row.update(route);
    if (list.children[index] !== row.element) list.insertBefore(row.element, list.children[index] ?? null);
  });
}

// ---------------------------------------------------------------- address lists, store, configuration

let shownAddresses = '';

function showAddresses(state) {
  const key = JSON.stringify(state.addresses.map(list => ({ ...list, ageSeconds: span(list.ageSeconds ?? 0) })));
  if (key === shownAddresses) return;
  shownAddresses = key;
  const box = byId('addresses');
  if (state.addresses.length === 0) {
    box.replaceChildren(empty('No published lists', 'Routes name their addresses in the file, or take requests from anywhere.', GLOBE));
    return;
  }
  box.replaceChildren(...state.addresses.map(list => {
    const part = list.ageSeconds === null ? 1 : Math.min(1, list.ageSeconds / list.alarmAfterSeconds);
    const level = !list.loaded || list.stale ? 'red' : list.lastError ? '' : part > .5 ? '' : 'green';
    return make('div', { class: 'list', 'data-list': list.name },
      make('div', { class: 'top' }, make('b', {}, list.name), make('span', {}, list.loaded ? `${counted(list.networks, 'network', 'networks')}${list.merged < list.networks ? ` (${list.merged} merged)` : ''}, ${list.letsIn}` : make('span', { class: 'tag red' }, 'never loaded'), list.stale && make('span', { class: 'tag red' }, 'stale'))),
      make('ul', {}, meter(list.loaded ? `Confirmed ${ago(list.ageSeconds)}` : 'Not loaded', `alarm after ${span(list.alarmAfterSeconds)}`, part, level)),
      make('p', {}, list.changedAt ? `Last change ${agoOf(list.changedAt)} · ` : '', make('span', { class: 'mono' }, list.source), list.usedBy.length > 0 ? ` · used by ${list.usedBy.join(', ')}` : ' · used by no route'),
      list.lastError && make('p', { class: 'fault' }, list.lastError));
  }));
}

let shownSystem = '';

function showSystem(state) {
  const store = state.store, config = state.config;
  const rows = [
    ['Replay store', store.kind === 'memory' ? 'memory of this process' : 'Redis', store.state && [store.state === 'up' ? 'green' : store.state === 'away' ? 'red' : 'yellow', store.state]],
    ['Events remembered here', `${many(store.memoryKeys)} of ${compact.format(store.memoryLimit)}`, store.forgottenEarly > 0 && [store.kind === 'memory' ? 'yellow' : 'grey', `${many(store.forgottenEarly)} forgotten early`]],
    store.kind === 'redis' && ['Waiting to be written back', `${many(store.writeBackQueued)} of ${compact.format(store.writeBackLimit)}`],
    ['Revision', config.revision, config.newestFileTaken ? ['green', 'in force'] : ['red', 'newest file refused']],
    ['Taken', `${timeOf(config.inForceSince)}, ${counted(config.routes, 'route', 'routes')}`],
    config.refused && !config.refused.isCurrent && ['Last refused file', `${timeOf(config.refused.at)}, ${counted(config.refused.problems.filter(p => !p.isWarning).length, 'problem', 'problems')}`],
    ['Requests to no route', `${many(state.unrouted.lately)} in 5 min, ${many(state.unrouted.total)} in all`],
  ].filter(Boolean);
  const key = JSON.stringify([rows, config.warnings]);
  if (key === shownSystem) return;
  shownSystem = key;
  byId('system').replaceChildren(
    make('dl', { class: 'facts-list' }, ...rows.map(([name, value, tag]) => make('div', {}, make('dt', {}, name), make('dd', {}, value, ' ', tag && make('span', { class: `tag ${tag[0]}` }, tag[1]))))),
    ...(config.warnings.length === 0 ? [] : [make('div', { class: 'list' }, make('div', { class: 'top' }, make('b', {}, counted(config.warnings.length, 'warning', 'warnings'), ' of the file in force')), ...config.warnings.slice(0, 20).map(warning => make('p', {}, warning.path && make('code', {}, warning.path), warning.path ? ': ' : '', warning.message, warning.hint ? `; ${warning.hint}` : '')))]));
}

// ---------------------------------------------------------------- journal

const journal = { newest: -1, pages: 1, busy: false, again: false, next: null, key: '' };

async function showJournal() {
  if (journal.busy) {
    journal.again = true;
    return;
  }
  journal.busy = true;
  try {
    do {
      journal.again = false;
      const route = byId('filter-route').value, reason = byId('filter-reason').value;
      const refusals = [];
      let answer, before = null;
      for (let page = 0; page < journal.pages; page++) {
        const query = new URLSearchParams({ limit: '20' });
        if (route) query.set('route', route);
        if (reason) query.set('reason', reason);
        if (before) query.set('before', before);
        answer = await get(`/api/refusals?${query}`);
        refusals.push(...answer.refusals);
        before = answer.next;
        if (before === null) break;
      }
      journal.next = before;
      options(byId('filter-route'), answer.routes, route, id => id === 'none' ? 'no route' : id);
      options(byId('filter-reason'), answer.reasons, reason, slug => slug);
      showRefusals(refusals, Boolean(route || reason));
    } while (journal.again);
  } catch {
    // The stream tells when the gateway is back; then the journal is asked again.
  } finally {
    journal.busy = false;
  }
}

function options(select, counts, chosen, name) {
  const values = Object.keys(counts).sort();
  if (chosen && !values.includes(chosen)) values.push(chosen);
  const key = JSON.stringify(values.map(value => [value, counts[value] ?? 0]));
  if (select.dataset.key === key) return;
  select.dataset.key = key;
  // Options are kept as they are where they can be: a list that is open must not close under the pointer.
  const present = new Map([...select.options].map(option => [option.value, option]));
  for (const value of values) {
    const text = `${name(value)} (${counts[value] ?? 0})`;
    const option = present.get(value);
    if (option) setText(option, text);
    else select.append(make('option', { value }, text));
    present.delete(value);
  }
  present.delete('');
  for (const option of present.values()) option.remove();
}

function showRefusals(refusals, filtered) {
  const list = byId('refusals');
  byId('older').hidden = journal.next === null;
  const key = JSON.stringify([refusals.map(refusal => refusal.number), filtered]);
  if (key === journal.key) return;
  journal.key = key;
  if (refusals.length === 0) {
    list.replaceChildren(make('li', {}, filtered ? empty('Nothing like that', 'No refusal that is kept fits this filter.', SHIELD) : empty('Nothing was refused', 'Every refusal appears here within a second, with the reason and what to do.', SHIELD)));
    return;
  }
  const kept = new Map([...list.children].map(item => [item.dataset.number, item]));
  const items = refusals.map(refusal => kept.get(String(refusal.number)) ?? refusalRow(refusal));
  // Rows that stay keep their focus: only what is new or gone is touched.
  const wanted = new Set(items);
  for (const item of [...list.children]) if (!wanted.has(item)) item.remove();
  items.forEach((item, index) => { if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null); });
}

function refusalRow(refusal) {
  return make('li', { 'data-number': refusal.number }, make('button', { type: 'button', onclick: event => openDetail(refusal.number, event.currentTarget) },
    make('time', { datetime: refusal.at }, timeOf(refusal.at)),
    make('span', { class: 'reason' }, make('span', { class: `tag ${levelOf(refusal)}` }, refusal.reason), refusal.observed && ' ', refusal.observed && make('span', { class: 'tag yellow' }, 'let through')),
    make('span', { class: 'route-name' }, refusal.route === 'none' ? make('span', { class: 'quiet' }, 'no route') : refusal.route),
    make('span', { class: 'mono' }, refusal.client),
    make('span', { class: 'mono target' }, `${refusal.method} ${refusal.path}`),
    make('span', { class: 'num' }, String(refusal.status))));
}

function levelOf(refusal) {
  if (refusal.reason === 'duplicate') return '';
  return refusal.status >= 500 ? 'red' : refusal.status === 404 ? '' : 'yellow';
}

async function openDetail(number, from) {
  const dialog = byId('detail');
  let detail;
  try {
    detail = await get(`/api/refusals/${number}`);
  } catch (fault) {
    dialog.replaceChildren(make('div', { class: 'sheet' }, make('header', {}, make('h2', { id: 'detail-title' }, 'Not to be had'), closeButton(dialog)), make('p', {}, fault.message)));
    dialog.showModal();
    return;
  }
  const refusal = detail.refusal, seen = detail.addresses;
  const arrow = () => make('i', { 'aria-hidden': 'true' }, '→');
  const chain = [...seen.forwarded, seen.peer].flatMap((hop, i) => [i > 0 && arrow(), make('span', { class: `mono ${hop === seen.chosen ? 'chosen' : ''}`, title: hop === seen.chosen ? 'counts as the client' : null }, hop)]);
  const fact = (name, ...value) => [make('dt', {}, name), make('dd', {}, ...value)];
  dialog.replaceChildren(make('div', { class: 'sheet' },
    make('header', {}, make('div', {}, make('h2', { id: 'detail-title' }, refusal.reason), make('p', { class: 'quiet' }, `${refusal.method} ${refusal.path}`)), closeButton(dialog)),
    make('div', { class: 'advice' }, make('b', {}, detail.meaning), make('span', {}, detail.advice), seen.hint && make('span', { class: 'fault' }, seen.hint)),
    make('dl', {},
      ...fact('When', new Date(refusal.at).toLocaleString()),
      ...fact('Route', refusal.route === 'none' ? 'none' : refusal.route),
      ...fact('Stage', detail.stage),
      ...(refusal.detail ? fact('Detail', refusal.detail) : []),
      ...fact('Answered', refusal.observed ? `would be ${refusal.status}; let through, because it is in observe mode` : String(refusal.status)),
      ...fact('Body', refusal.bodyBytes > 0 ? `${bytes(refusal.bodyBytes)}; ` : detail.declaredBytes ? `${bytes(detail.declaredBytes)} announced; ` : '', make('span', { class: 'quiet' }, detail.bodyHash)),
      ...fact('Request id', make('span', { class: 'mono' }, detail.requestId))),
    make('div', {}, make('h3', {}, 'Addresses seen, from the sender to the socket'), make('div', { class: 'chain' }, ...chain, seen.forwardedCut && make('span', {}, '…')),
      make('p', { class: 'sub' }, seen.rule),
      refusal.route !== 'none' && make('p', { class: 'sub' }, `The route takes requests from: ${seen.allow.join(', ')}.${seen.allowedNow === true ? ' The client is among them now.' : seen.allowedNow === false ? ' The client is not.' : ''}`)),
    make('div', {}, make('h3', {}, 'Headers that came; values are never kept'), detail.headers.length === 0 ? make('p', { class: 'quiet' }, 'Not looked at: refused before.') : make('ul', { class: 'headers' }, ...detail.headers.map(name => make('li', { class: 'mono' }, name, make('i', { 'aria-hidden': 'true' }, '•••'))))),
    refusal.reason === 'duplicate' && detail.eventKey && forgetBox(refusal.route, detail.eventKey)));
  dialog.addEventListener('close', () => from?.isConnected && from.focus(), { once: true });
  dialog.showModal();
}

function forgetBox(route, key) {
  const said = make('p', { class: 'sub', role: 'status' });
  const button = make('button', {
    type: 'button', class: 'plain',
    onclick: async () => {
      button.disabled = true;
      const answer = await fetch(`/api/replay/${encodeURIComponent(route)}/forget?key=${key}`, { method: 'POST' }).catch(() => null);
      button.disabled = Boolean(answer?.ok);
      said.textContent = answer?.ok ? 'Forgotten: its next copy is delivered.' : (await answer?.json().catch(() => null))?.detail ?? 'The gateway did not answer.';
    },
  }, 'Forget this event');
  return make('div', {}, button, said);
}

function closeButton(dialog) {
  return make('button', { type: 'button', class: 'plain', autofocus: true, onclick: () => dialog.close() }, 'Close');
}

byId('detail').addEventListener('click', event => { if (event.target === event.currentTarget) event.currentTarget.close(); });
byId('filters').addEventListener('change', () => { journal.pages = 1; showJournal(); });
byId('filters').addEventListener('submit', event => event.preventDefault());
byId('older').addEventListener('click', () => { journal.pages++; showJournal(); });

// ---------------------------------------------------------------- connection

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function get(path) {
  const answer = await fetch(path, { headers: { accept: 'application/json' } });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => null);
    if (answer.status === 401) askForToken();
    throw new Refused(answer.status, problem?.detail ?? `${answer.status}`);
  }
  return answer.json();
}

function setLive(state, text) {
  const live = byId('live');
  live.dataset.state = state;
  setText(live.lastElementChild, text);
  byId('main').classList.toggle('stale', state === 'lost');
}

let stream = null;
let heardAt = 0;
let retry = 0;

function connect() {
  stream?.close();
  clearTimeout(retry);
  let opened = false;
  stream = new EventSource('/api/stream');
  stream.onopen = () => opened = true;
  stream.onmessage = event => {
    heardAt = performance.now();
    show(JSON.parse(event.data));
    setLive('live', 'Live');
  };
  stream.onerror = async () => {
    if (byId('signin').hidden) setLive('lost', 'Connection lost, trying again');
    stream.close();
    // A stream does not say why it was refused; an ordinary request does.
    try {
      await get('/api/store');
      if (!opened) setLive('lost', 'Too many pages are open, trying again');
    } catch (fault) {
      if (fault.status === 401) return;
      if (fault.status) setLive('lost', fault.message);
    }
    clearTimeout(retry);
    retry = setTimeout(connect, 1500);
  };
}

// A connection can die without a word; the gateway speaks every second.
setInterval(() => {
  if (stream && stream.readyState === EventSource.OPEN && performance.now() - heardAt > 8000) {
    setLive('lost', 'Connection lost, trying again');
    connect();
  }
}, 2000);

function show(state) {
  skew = Date.parse(state.at) - Date.now();
  byId('signin').hidden = true;
  byId('main').hidden = false;
  setText(byId('version'), state.process.version);
  setText(byId('revision'), `Revision ${state.config.revision}`);
  setText(byId('uptime'), `Up ${span(state.process.uptimeSeconds)}`);
  const worst = ['red', 'yellow'].map(colour => [colour, state.routes.filter(route => route.health.colour === colour).length]).find(([, n]) => n > 0);
  const title = worst ? `${worst[1]} ${worst[0]} · WebhookEdge` : 'WebhookEdge';
  if (document.title !== title) document.title = title;
  showNotices(state);
  showOverview(state);
  showRoutes(state);
  showAddresses(state);
  showSystem(state);
  if (state.newestRefusal !== journal.newest) {
    journal.newest = state.newestRefusal;
    showJournal();
  }
}

// ---------------------------------------------------------------- signing in

function askForToken() {
  stream?.close();
  clearTimeout(retry);
  byId('main').hidden = true;
  byId('signout').hidden = true;
  byId('detail').close();
  byId('signin').hidden = false;
  setLive('waiting', 'Signed out');
  byId('token').focus();
}

byId('signin-form').addEventListener('submit', async event => {
  event.preventDefault();
  const fault = byId('signin-fault');
  fault.textContent = '';
  const answer = await fetch('/signin', { method: 'POST', body: new URLSearchParams({ token: byId('token').value }) }).catch(() => null);
  if (!answer?.ok) {
    fault.textContent = answer === null ? 'The gateway did not answer.' : (await answer.json().catch(() => null))?.detail ?? `It answered ${answer.status}.`;
    byId('token').select();
    return;
  }
  byId('token').value = '';
  sessionStorage.setItem('signed-in', 'yes');
  start();
});

byId('signout').addEventListener('click', async () => {
  await fetch('/signout', { method: 'POST' }).catch(() => null);
  sessionStorage.removeItem('signed-in');
  journal.newest = -1;
  askForToken();
});

function start() {
  byId('signout').hidden = sessionStorage.getItem('signed-in') === null;
  connect();
}

start();
