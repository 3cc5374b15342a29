(() => {
'use strict';
const at = id => document.getElementById(id);
const ways = at('ways'), panel = at('panel'), shown = at('code'), again = at('again'), picture = at('picture');
const tabs = [...ways.querySelectorAll('[role=tab]')];
// Codes that a page shows by itself, one after another, before it waits for a click.
const RENEWALS = 3;
// A frame's login is over after ten minutes; a person needs some of them to confirm.
const FRAME_SECONDS = 570;
let tab, renewals, until, abort = new AbortController(), run = 0;

const sleep = seconds => new Promise(done => setTimeout(done, seconds * 1000));
const sight = seconds => new Promise(done => {
  const timer = setTimeout(end, seconds * 1000);
  function end() {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', end);
    done();
  }
  document.addEventListener('visibilitychange', end);
});

function say(words) {
  const said = at('said');
  said.textContent = '';
  for (const word of words) said.append(word.cloneNode(true));
}

function both(text) {
  return [['zh-CN', text.zh], ['en', text.en]].map(([lang, words]) => Object.assign(document.createElement('span'), {lang, textContent: words}));
}

function show(state) {
  panel.dataset.state = state;
  for (const e of panel.querySelectorAll('[data-on]')) e.hidden = !e.dataset.on.split(' ').includes(state);
  const words = at('words').querySelector('[data-say=' + state + ']');
  say(words ? words.children : []);
  if (!canBegin()) again.hidden = true;
  if (state !== 'scanned') at('name').textContent = '';
}

function person(answer) {
  const name = answer.name || '';
  at('name').textContent = name;
  at('initial').textContent = [...name.trim()][0] || '';
  picture.hidden = !/^https:\/\/[a-z0-9.-]+\.qlogo\.cn\//.test(answer.picture || '');
  if (!picture.hidden) picture.src = answer.picture;
}

// Where there is one to begin.
const canBegin = () => tab.dataset.scan || tab.dataset.frame;

function stop() {
  abort.abort();
  abort = new AbortController();
  until = 0;
  return ++run;
}

async function begin() {
  const mine = stop();
  const of = tab;
  of.scan = null;
  show('loading');
  let reply, scan;
  try {
    const body = new URLSearchParams({return_to: ways.dataset.returnTo});
    reply = await fetch(of.dataset.scan, {method: 'POST', body, headers: {accept: 'application/json'}, signal: abort.signal});
    scan = await reply.json();
  } catch (error) {
    scan = null;
  }
  if (mine !== run) return;
  if (reply && reply.status === 429) {
    show('busy');
    again.disabled = true;
    setTimeout(() => { again.disabled = false; }, 1000 * Math.min(+reply.headers.get('retry-after') || 30, 300));
    return;
  }
  if (!reply || !reply.ok || !scan) return show('failed');
  // The server's clock counts, not this machine's.
  const ahead = (Date.parse(reply.headers.get('date')) || Date.now()) - Date.now();
  of.scan = {poll: scan.poll, image: scan.image, number: scan.number, until: scan.expires_at * 1000 - ahead};
  watch(of.scan);
}

async function watch(scan) {
  const mine = stop();
  let state = 'waiting', errors = 0;
  until = scan.until;
  at('number').textContent = scan.number;
  if (shown.getAttribute('src') !== scan.image || shown.complete && !shown.naturalWidth) {
    let tries = 3;
    shown.onerror = async () => {
      // WeChat draws so many codes a minute and no more.
      await sleep(6);
      if (tab.scan !== scan || mine !== run) return;
      if (--tries) shown.src = scan.image;
      else over({}, 'waiting');
    };
    shown.src = scan.image;
  }
  show(state);
  tick();
  for (;;) {
    const asked = Date.now();
    let answer = null;
    try {
      const reply = await fetch(scan.poll + '&known=' + state, {headers: {accept: 'application/json'}, cache: 'no-store', signal: abort.signal});
      // Nobody knows of it: this browser has not kept the cookie, or it is over.
      if (reply.status === 404) answer = {state: scan.isKnown ? 'expired' : 'forgotten'};
      else if (reply.ok) answer = await reply.json();
      if (answer) scan.isKnown = true;
    } catch (error) {
      answer = null;
    }
    if (mine !== run) return;
    if (!answer && Date.now() > scan.until) answer = {state: 'expired'};
    if (!answer) {
      if (++errors > 1) say(at('words').querySelector('[data-say=offline]').children);
      await sleep(Math.min(2 ** errors, 30));
    } else {
      const before = state;
      state = answer.state;
      if (state === 'done') {
        stop();
        show(state);
        return location.replace(answer.location);
      }
      if (state !== 'waiting' && state !== 'scanned') return over(answer, before);
      if (state !== before || errors > 1) show(state);
      // Told again while the resolver is away, the state comes without the person.
      if (state === 'scanned' && state !== before) person(answer);
      errors = 0;
      // An answer without news that came early: whoever gave it needs a rest.
      await sleep(answer.retry_after || (state === before ? Math.max(0, 1 - (Date.now() - asked) / 1000) : 0));
    }
    if (mine === run && document.hidden) await sight(20);
    if (mine !== run) return;
  }
}

async function over(answer, before) {
  const mine = stop(), state = answer.state;
  tab.scan = null;
  show(['cancelled', 'expired', 'forgotten'].includes(state) ? state : 'failed');
  if (answer.title && answer.message) {
    const title = document.createElement('b');
    title.append(...both(answer.title));
    say([title, ...both(answer.message)]);
  }
  if (state !== 'expired' || before !== 'waiting' || renewals < 1 || !canBegin()) return;
  while (document.hidden) await sight(3600);
  if (mine !== run) return;
  renewals--;
  open();
}

function frame() {
  stop();
  if (!tab.frame) {
    tab.frame = document.createElement('iframe');
    for (const [name, value] of Object.entries({sandbox: 'allow-scripts allow-top-navigation allow-same-origin', allow: 'local-network-access',
      scrolling: 'no', frameborder: '0', width: '300', height: '300', title: tab.textContent})) tab.frame.setAttribute(name, value);
    tab.frame.src = tab.dataset.frame;
    at('frame').append(tab.frame);
    tab.until = Date.now() + FRAME_SECONDS * 1000;
  }
  until = tab.until;
  for (const e of at('frame').children) e.hidden = e !== tab.frame;
  show('frame');
}

function open() {
  if (tab.dataset.frame) frame();
  else if (tab.scan && tab.scan.until > Date.now()) watch(tab.scan);
  else if (canBegin()) begin();
  else over({state: 'expired'}, '');
}

function choose(chosen) {
  tab = chosen;
  renewals = RENEWALS;
  const {poll, image, number, left} = tab.dataset;
  if (poll && !tab.scan) tab.scan = {poll, image, number, until: Date.now() + left * 1000};
  tabs.forEach((each, index) => {
    each.setAttribute('aria-selected', each === tab);
    each.tabIndex = each === tab ? 0 : -1;
    for (const e of panel.querySelectorAll('[data-tab="' + index + '"]')) e.hidden = each !== tab;
  });
  if (tabs.length > 1) panel.setAttribute('aria-labelledby', tab.id);
  open();
}

function tick() {
  const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
  at('left').textContent = Math.floor(left / 60) + ':' + String(left % 60).padStart(2, '0');
  if (left || !until || panel.dataset.state !== 'frame') return;
  tab.frame.remove();
  tab.frame = null;
  over({state: 'expired'}, 'waiting');
}

ways.addEventListener('keydown', event => {
  const here = tabs.indexOf(document.activeElement);
  const to = {ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: tabs.length - 1}[event.key];
  if (here < 0 || to === undefined) return;
  event.preventDefault();
  tabs[(to + tabs.length) % tabs.length].focus();
});
for (const each of tabs) each.addEventListener('click', () => each === tab || choose(each));
again.addEventListener('click', () => {
  renewals = RENEWALS;
  tab.scan = null;
  open();
  // The button is gone now, and a keyboard should not be nowhere.
  panel.focus();
});
addEventListener('pageshow', event => event.persisted && location.reload());
setInterval(tick, 1000);
document.body.className = 'live';
ways.hidden = false;
choose(tabs.find(each => each.getAttribute('aria-selected') === 'true') || tabs[0]);
})();
