/** The page begins here. */
import { render } from 'preact';
import './page.css';
import { App } from './app.js';
import { registerOffline } from './offline.js';
import { listenToKeys } from './parts/keys.js';
import { goTo, linkStore } from './state/link.js';
import { openFiles } from './state/opening.js';
import { runPlayback } from './state/playback.js';
import { filesOfQuery } from './state/query.js';
import { view } from './state/store.js';

linkStore();
runPlayback();
listenToKeys();
render(<App />, document.getElementById('app')!);

// `slablab open FILE` leads here.
const files = filesOfQuery(location.search, location.href);
// What such an address leads to is a server of one's own, which is gone tomorrow: nothing of it is kept.
if (files.length === 0) registerOffline();
else {
  openFiles(files, { keepPlace: true }).then((isOpen) => {
    if (isOpen && view.value === 'start') goTo('time');
  });
}
