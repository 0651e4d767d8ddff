'use strict';
// What is shown is in the address: #outcome=refused,pending&name=foo. So a view can be shared, and the back button works.
const data = JSON.parse(document.getElementById('data').textContent);
const whole = new Map(data.names || []);
const field = document.getElementById('name');
const chips = [...document.querySelectorAll('[data-outcome]')];
const everything = {outcomes: new Set(), name: ''};

// called is an outcome in the words of its chip.
function called(outcome) {
  const chip = chips.find(c => c.dataset.outcome === outcome);
  return chip ? chip.lastChild.textContent.trim() : outcome;
}

function wanted() {
  const q = new URLSearchParams(location.hash.slice(1));
  return {outcomes: new Set((q.get('outcome') || '').split(',').filter(Boolean)), name: q.get('name') || ''};
}

// Each element with data-o is shown or not. What it is called is read once: some are many.
const rows = [...document.querySelectorAll('[data-o]')].map(el => {
  const names = el.querySelector('.names');
  const lines = names ? names.textContent.split('\n') : [];
  return {
    el, names, lines,
    outcomes: el.dataset.o.split(' '),
    heads: [...el.querySelectorAll('.n')].map(n => n.textContent.toLowerCase()),
    found: lines.map(line => ((whole.get(line.split('\t')[0]) || '') + ' ' + line).toLowerCase()),
  };
});

function showRow(row, outcomes, name) {
  let shown = !outcomes.size || row.outcomes.some(o => outcomes.has(o));
  let lines = row.lines;
  if (shown && name && !row.heads.some(head => head.includes(name))) {
    lines = lines.filter((_, i) => row.found[i].includes(name));
    shown = lines.length > 0;
  }
  row.el.classList.toggle('out', !shown);
  if (row.names && row.count !== lines.length) {
    row.count = lines.length;
    row.names.textContent = lines.join('\n');
    unfold(row, lines.length);
  }
  return shown;
}

// unfold opens a long list of names of which some are left, and says that they are not all.
function unfold(row, left) {
  const details = row.names.closest('details');
  if (!details) return;
  const summary = details.querySelector('summary');
  row.all = row.all || summary.textContent;
  const some = left < row.lines.length;
  details.open = some && left > 0;
  summary.textContent = some ? left + ' of ' + row.lines.length + ' shown' : row.all;
}

// The table of links: rows and columns without a match go, other cells without one are pale. If
// none is left, the whole section goes.
const links = document.getElementById('links');
const table = document.getElementById('matrix');
function showTable(outcomes, name) {
  if (!table) return;
  let left = false;
  const heads = [...table.tHead.rows[0].cells];
  const columns = heads.map(() => false);
  const matches = th => th.title.toLowerCase().includes(name);
  const named = heads.map((th, i) => i > 0 && matches(th));
  for (const tr of table.tBodies[0].rows) {
    const mine = matches(tr.cells[0]);
    const all = mine && outcomes.has(tr.dataset.row);
    let shown = all || mine && !outcomes.size;
    [...tr.cells].forEach((td, i) => {
      if (i === 0) return;
      const o = td.dataset.cell;
      const hit = o ? (all || !outcomes.size || outcomes.has(o)) && (mine || named[i]) : !outcomes.size && !name;
      td.classList.toggle('pale', !hit);
      if (hit && o) shown = columns[i] = true;
    });
    tr.classList.toggle('out', !shown);
    left = left || shown;
  }
  const none = !outcomes.size && !name;
  links.classList.toggle('out', !left);
  for (const tr of table.rows) [...tr.cells].forEach((td, i) => td.classList.toggle('out', i > 0 && !none && !columns[i]));
}

// What scrolls can be reached by keyboard, and what does not is no stop on the way.
const scrolls = [...document.querySelectorAll('.scroll')];
function reach() {
  for (const el of scrolls) el.tabIndex = el.scrollHeight > el.clientHeight || el.scrollWidth > el.clientWidth ? 0 : -1;
}
document.addEventListener('toggle', reach, true);
addEventListener('resize', reach);

function show({outcomes, name}) {
  const part = name.toLowerCase();
  const counts = {tenants: 0, shown: 0};
  for (const row of rows) {
    const shown = showRow(row, outcomes, part);
    if ('tenant' in row.el.dataset || row.el.closest('.peers-list')) {
      counts.tenants++;
      counts.shown += shown;
    }
  }
  for (const group of document.querySelectorAll('.group')) group.classList.toggle('out', !group.querySelector('[data-o]:not(.out)'));
  for (const section of document.querySelectorAll('main > section')) {
    section.classList.toggle('out', Boolean(section.querySelector('[data-o]')) && !section.querySelector('[data-o]:not(.out)'));
  }
  showTable(outcomes, part);
  if (drawing) drawing.show(outcomes, part);
  for (const chip of chips) chip.setAttribute('aria-pressed', outcomes.has(chip.dataset.outcome));
  if (field.value !== name) field.value = name;
  const filtered = outcomes.size > 0 || name !== '';
  document.getElementById('clear').disabled = !filtered;
  const nothing = filtered && !document.querySelector('[data-o]:not(.out)') && (!links || links.classList.contains('out'));
  const found = nothing ? 'Nothing matches.' : counts.shown + ' of ' + counts.tenants + (document.querySelector('.tenants') ? ' tenant' : ' peer') + (counts.tenants === 1 ? '' : 's') + ' shown.';
  const shown = document.getElementById('shown');
  shown.textContent = filtered ? 'Filter: ' + [...[...outcomes].map(called), ...(name ? ['“' + name + '”'] : [])].join(', ') + '. ' + found : '';
  shown.classList.toggle('nothing', nothing);
  reach();
}

// go writes the address, and shows what it says.
function go({outcomes, name}) {
  const parts = [];
  if (outcomes.size) parts.push('outcome=' + [...outcomes].map(encodeURIComponent).join(','));
  if (name) parts.push('name=' + encodeURIComponent(name));
  history.replaceState(null, '', '#' + parts.join('&'));
  show(wanted());
}

for (const chip of chips) {
  chip.addEventListener('click', () => {
    const now = wanted();
    if (!now.outcomes.delete(chip.dataset.outcome)) now.outcomes.add(chip.dataset.outcome);
    go(now);
  });
}
field.addEventListener('input', () => go({...wanted(), name: field.value}));
document.getElementById('clear').addEventListener('click', () => {
  go(everything);
  field.focus();
});
document.getElementById('filter').addEventListener('submit', event => event.preventDefault());
document.getElementById('by-name').hidden = false;
addEventListener('hashchange', () => show(wanted()));

// Paper has what the screen has, with the filter in words; but nothing is folded or dark.
let folded = [];
addEventListener('beforeprint', () => {
  document.documentElement.classList.add('paper');
  folded = [...document.querySelectorAll('details:not([open])')];
  for (const d of folded) d.open = true;
});
addEventListener('afterprint', () => {
  document.documentElement.classList.remove('paper');
  for (const d of folded) d.open = false;
});
