// The matrix of many: a canvas on which only the part that is looked at is drawn, and all of it small beside.
const readout = document.getElementById('readout');

function say(tenant, peer, outcome, said, next) {
  readout.textContent = tenant + ' → ' + peer + ': ' + outcome + (said ? ', ' + said : '') + (next ? '. Next: ' + next : '');
}

class Drawing {
  static cell = 18;
  static left = 0; // of the cells: what the labels need
  static top = 0;

  constructor() {
    this.lens = document.getElementById('lens');
    this.cells = document.getElementById('cells');
    this.overview = document.getElementById('overview');
    this.width = data.names.length;
    this.kinds = data.rows.map(row => this.unfold(row.cells));
    this.cursor = null; // [row, column] among the ones shown
    document.getElementById('drawn').hidden = false;
    this.lens.addEventListener('scroll', () => this.draw());
    this.lens.addEventListener('keydown', event => this.key(event));
    this.lens.addEventListener('mousemove', event => this.point(event));
    this.lens.addEventListener('focus', () => this.move(...(this.cursor || [0, 0])));
    this.overview.addEventListener('click', event => this.jump(event));
    addEventListener('resize', () => this.redraw());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.redraw());
  }

  unfold(runs) {
    const row = new Int32Array(this.width);
    for (let i = 0, at = 0; i < runs.length; i += 2) {
      row.fill(runs[i], at, at + runs[i + 1]);
      at += runs[i + 1];
    }
    return row;
  }

  // show keeps the rows and columns with a link that matches. Sites of that name come first.
  show(outcomes, name) {
    const none = !outcomes.size && !name;
    const named = data.names.map(([, full]) => full.toLowerCase().includes(name));
    const good = data.kinds.map(kind => !outcomes.size || outcomes.has(kind[0]));
    const columns = new Uint8Array(this.width);
    this.rows = [];
    this.hit = new Map();
    data.rows.forEach((row, r) => {
      const mine = row.full.toLowerCase().includes(name);
      const all = mine && outcomes.has(row.outcome);
      let shown = none || all;
      const hits = new Uint8Array(this.width);
      this.kinds[r].forEach((kind, c) => {
        if (kind >= 0 && (all || good[kind]) && (mine || named[c])) shown = hits[c] = columns[c] = 1;
      });
      if (shown) {
        this.rows.push(r);
        this.hit.set(r, hits);
      }
    });
    this.columns = [...columns.keys()].filter(c => none || columns[c]);
    if (name) {
      this.columns.sort((a, b) => named[b] - named[a] || a - b);
      const mine = r => data.rows[r].full.toLowerCase().includes(name);
      this.rows.sort((a, b) => mine(b) - mine(a) || a - b);
    }
    this.lens.scrollTo(0, 0);
    this.cursor = null;
    readout.textContent = 'Point at a link, or go there with the arrow keys, to read what happened there.';
    links.classList.toggle('out', !this.rows.length);
    this.redraw();
  }

  redraw() {
    const style = getComputedStyle(document.documentElement);
    this.colour = name => style.getPropertyValue('--' + name);
    this.font = getComputedStyle(document.body).fontFamily;
    this.letters = (this.lens.clientWidth < 500 ? '11px ' : '12px ') + this.font;
    const g = this.cells.getContext('2d');
    g.font = this.letters;
    const widest = names => Math.ceil(names.reduce((most, name) => Math.max(most, g.measureText(name).width), 0)) + 14;
    Drawing.left = widest(data.rows.map(row => row.name));
    Drawing.top = widest(data.names.map(([short]) => short));
    const extent = document.getElementById('extent');
    extent.style.width = Drawing.left + this.columns.length * Drawing.cell + 'px';
    extent.style.height = Drawing.top + this.rows.length * Drawing.cell + 'px';
    this.drawSmall();
    this.draw();
  }

  canvas(el, width, height) {
    const ratio = devicePixelRatio || 1;
    el.width = width * ratio;
    el.height = height * ratio;
    const g = el.getContext('2d');
    g.scale(ratio, ratio);
    return g;
  }

  // draw paints the cells in sight, each with its letter.
  draw() {
    const {cell, left, top} = Drawing;
    const w = this.lens.clientWidth, h = this.lens.clientHeight, sx = this.lens.scrollLeft, sy = this.lens.scrollTop;
    if (!w) return;
    this.cells.style.width = w + 'px';
    this.cells.style.height = h + 'px';
    const g = this.canvas(this.cells, w, h);
    const rows = [Math.floor(sy / cell), Math.min(this.rows.length, Math.ceil((sy + h - top) / cell))];
    const columns = [Math.floor(sx / cell), Math.min(this.columns.length, Math.ceil((sx + w - left) / cell))];
    g.textBaseline = 'middle';
    this.clipped(g, left, top, w, h, () => {
      g.font = '600 11px ' + this.font;
      g.textAlign = 'center';
      for (let r = rows[0]; r < rows[1]; r++) {
        for (let c = columns[0]; c < columns[1]; c++) this.drawCell(g, r, c, left + c * cell - sx, top + r * cell - sy);
      }
    });
    g.font = this.letters;
    g.fillStyle = this.colour('ink');
    g.textAlign = 'left';
    this.clipped(g, 0, top, left - 4, h, () => {
      for (let r = rows[0]; r < rows[1]; r++) g.fillText(data.rows[this.rows[r]].name, 6, top + (r + .5) * cell - sy);
    });
    this.clipped(g, left, 0, w, top - 4, () => {
      for (let c = columns[0]; c < columns[1]; c++) {
        g.save();
        g.translate(left + (c + .5) * cell - sx, top - 8);
        g.rotate(-Math.PI / 2);
        g.fillText(data.names[this.columns[c]][0], 0, 0);
        g.restore();
      }
    });
    this.drawFrame(w, h);
  }

  clipped(g, x0, y0, x1, y1, paint) {
    g.save();
    g.beginPath();
    g.rect(x0, y0, x1 - x0, y1 - y0);
    g.clip();
    paint();
    g.restore();
  }

  drawCell(g, r, c, x, y) {
    const row = this.rows[r], column = this.columns[c], kind = this.kinds[row][column];
    const size = Drawing.cell - 1;
    if (kind >= 0) {
      const [outcome, letter] = data.kinds[kind];
      g.globalAlpha = this.hit.get(row)[column] ? 1 : .25;
      g.fillStyle = this.colour(outcome) || this.colour('skipped');
      g.fillRect(x, y, size, size);
      g.fillStyle = this.colour(outcome + '-ink') || this.colour('skipped-ink');
      g.fillText(letter, x + size / 2, y + size / 2 + .5);
      g.globalAlpha = 1;
    } else if (data.rows[row].column === column) {
      g.fillStyle = this.colour('quiet');
      g.fillText('\\', x + size / 2, y + size / 2 + .5);
    }
    if (this.cursor && this.cursor[0] === r && this.cursor[1] === c) {
      g.strokeStyle = this.colour('ink');
      g.lineWidth = 2;
      g.strokeRect(x, y, size, size);
    }
  }

  // drawSmall paints all of it: what is not proven last, and never so thin that it is not seen.
  drawSmall() {
    const ratio = this.columns.length / Math.max(this.rows.length, 1);
    this.overview.style.setProperty('--ratio', String(Math.min(Math.max(ratio, .7), 5)));
    const w = this.overview.clientWidth, h = this.overview.clientHeight;
    if (!w) return;
    this.small = document.createElement('canvas');
    const g = this.canvas(this.small, w, h), x = w / Math.max(this.columns.length, 1), y = h / Math.max(this.rows.length, 1);
    const colours = data.kinds.map(([outcome]) => this.colour(outcome) || this.colour('skipped'));
    const loud = data.kinds.map(([outcome]) => outcome === 'pending' || outcome === 'refused');
    const look = (row, column) => this.kinds[row][column] * 2 + this.hit.get(row)[column]; // what neighbours must share to be painted at once
    for (const pass of [false, true]) {
      this.rows.forEach((row, r) => {
        for (let c = 0, end; c < this.columns.length; c = end) {
          const same = look(row, this.columns[c]), kind = this.kinds[row][this.columns[c]];
          for (end = c + 1; end < this.columns.length && look(row, this.columns[end]) === same;) end++;
          if (kind < 0 || loud[kind] !== pass) continue;
          g.globalAlpha = same & 1 ? 1 : .25;
          g.fillStyle = colours[kind];
          g.fillRect(c * x, r * y, Math.max((end - c) * x, pass ? 1.5 : 0), Math.max(y, pass ? 1.5 : 0));
        }
      });
    }
  }

  // drawFrame puts the small picture there, with a frame around what is in sight.
  drawFrame(w, h) {
    const {cell, left, top} = Drawing, width = this.overview.clientWidth, height = this.overview.clientHeight;
    if (!width || !this.small) return;
    const g = this.canvas(this.overview, width, height);
    g.drawImage(this.small, 0, 0, width, height);
    const x = width / Math.max(this.columns.length, 1) / cell, y = height / Math.max(this.rows.length, 1) / cell;
    g.strokeStyle = this.colour('focus');
    g.lineWidth = 2;
    g.strokeRect(this.lens.scrollLeft * x + 1, this.lens.scrollTop * y + 1, Math.min(width, (w - left) * x) - 2, Math.min(height, (h - top) * y) - 2);
  }

  jump(event) {
    const {cell, left, top} = Drawing, box = this.overview.getBoundingClientRect();
    this.lens.scrollLeft = (event.clientX - box.left) / box.width * this.columns.length * cell - (this.lens.clientWidth - left) / 2;
    this.lens.scrollTop = (event.clientY - box.top) / box.height * this.rows.length * cell - (this.lens.clientHeight - top) / 2;
  }

  point(event) {
    const {cell, left, top} = Drawing, box = this.lens.getBoundingClientRect();
    const x = event.clientX - box.left - left, y = event.clientY - box.top - top;
    if (x >= 0 && y >= 0) this.select(Math.floor((y + this.lens.scrollTop) / cell), Math.floor((x + this.lens.scrollLeft) / cell));
  }

  key(event) {
    const [r, c] = this.cursor || [0, 0];
    const to = {ArrowUp: [r - 1, c], ArrowDown: [r + 1, c], ArrowLeft: [r, c - 1], ArrowRight: [r, c + 1], PageUp: [r - 20, c], PageDown: [r + 20, c],
      Home: [r, 0], End: [r, this.columns.length - 1]}[event.key];
    if (!to || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.move(...to);
  }

  // move goes to a cell and brings it into sight.
  move(row, column) {
    const {cell, left, top} = Drawing, lens = this.lens;
    const r = Math.max(0, Math.min(row, this.rows.length - 1)), c = Math.max(0, Math.min(column, this.columns.length - 1));
    lens.scrollTop = Math.min(Math.max(lens.scrollTop, (r + 1) * cell - lens.clientHeight + top), r * cell);
    lens.scrollLeft = Math.min(Math.max(lens.scrollLeft, (c + 1) * cell - lens.clientWidth + left), c * cell);
    this.select(r, c);
  }

  select(r, c) {
    if (r >= this.rows.length || c >= this.columns.length || r < 0 || c < 0) return;
    this.cursor = [r, c];
    const row = this.rows[r], column = this.columns[c], kind = this.kinds[row][column];
    const [outcome, , said, next] = kind >= 0 ? data.kinds[kind] : [data.rows[row].column === column ? 'the tenant itself' : 'no peer, or not asked', '', '', ''];
    say(data.rows[row].full, data.names[column][1], outcome, said, next);
    this.draw();
  }
}

// The table of few says its cells where the canvas does: under the pointer, or with the arrow keys.
function cellSays(td) {
  if (!td || td.tagName !== 'TD') return;
  const row = td.parentElement, head = table.tHead.rows[0].cells[td.cellIndex];
  say(row.cells[0].title, head.title, td.dataset.cell || td.getAttribute('aria-label'), td.dataset.says, '');
}

if (table) {
  const first = table.querySelector('tbody td');
  if (first) first.tabIndex = 0;
  readout.textContent = 'Point at a link, or go there with the arrow keys, to read what happened there.';
  table.addEventListener('mouseover', event => cellSays(event.target.closest('td')));
  table.addEventListener('focusin', event => cellSays(event.target.closest('td')));
  table.addEventListener('keydown', event => {
    const td = event.target.closest('td'), step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
    if (!td || !step) return;
    event.preventDefault();
    let to = td;
    do {
      const row = table.rows[to.parentElement.rowIndex + step[0]];
      to = row && row.cells[to.cellIndex + step[1]];
    } while (to && to.tagName === 'TD' && (to.classList.contains('out') || to.parentElement.classList.contains('out')));
    if (!to || to.tagName !== 'TD') return;
    td.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  });
}

const drawing = data.rows ? new Drawing() : null;
show(wanted());
