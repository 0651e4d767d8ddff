// What the tests do on a page that was opened. It is put behind the page's own script in a copy.
const seen = selector => [...document.querySelectorAll(selector)].filter(el => el.checkVisibility()).map(el => el.textContent.trim());
const click = outcome => document.querySelector('[data-outcome="' + outcome + '"]').click();
const clear = () => document.getElementById('clear').click();
const shown = document.getElementById('shown');
const clearing = document.getElementById('clear');
const type = text => {
  field.focus();
  field.value = text;
  field.dispatchEvent(new Event('input', {bubbles: true}));
};
const press = (el, key) => el.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
const follow = hash => {
  history.replaceState(null, '', hash);
  dispatchEvent(new HashChangeEvent('hashchange'));
};
const colours = canvas => new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
const results = {};
const step = (name, what) => { results[name] = what(); };
const finish = () => {
  const pre = document.createElement('pre');
  pre.id = 'results';
  pre.textContent = JSON.stringify(results);
  document.body.append(pre);
};
