/** The frame: the seven views as tabs, what is open, where files can be dropped, the theme and the list of keys. */
import { type ComponentType, Fragment } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatCount } from '../base/index.js';
import { FailureNote } from './parts/failure-note.js';
import { keyBindings, useKeys } from './parts/keys.js';
import { Transport } from './parts/transport.js';
import { goTo, hashOfView } from './state/link.js';
import { cancelOpening, failure, openFiles, opening } from './state/opening.js';
import { filter, opened, range, selection, type Theme, theme, type ViewName, view } from './state/store.js';

interface ViewKind {
  readonly title: string;
  /** Loaded when it is shown first: none waits for the others. */
  readonly load: () => Promise<ComponentType>;
  /** Whether it shows the trace at the cursor. */
  readonly hasCursor: boolean;
}

const VIEW_KINDS: Readonly<Record<ViewName, ViewKind>> = {
  start: {
    title: 'Start',
    load: async () => (await import('./views/start/view.js')).StartView,
    hasCursor: false,
  },
  time: { title: 'Time', load: async () => (await import('./views/time/view.js')).TimeView, hasCursor: true },
  memory: {
    title: 'Memory',
    load: async () => (await import('./views/memory/view.js')).MemoryView,
    hasCursor: true,
  },
  caches: {
    title: 'Caches',
    load: async () => (await import('./views/caches/view.js')).CachesView,
    hasCursor: true,
  },
  whatif: {
    title: 'What if',
    load: async () => (await import('./views/whatif/view.js')).WhatIfView,
    hasCursor: false,
  },
  iommu: {
    title: 'IOMMU',
    load: async () => (await import('./views/iommu/view.js')).IommuView,
    hasCursor: false,
  },
  learn: {
    title: 'Learn',
    load: async () => (await import('./views/learn/view.js')).LearnView,
    hasCursor: false,
  },
};
const NAMES = Object.keys(VIEW_KINDS) as ViewName[];

export function App() {
  const main = useRef<HTMLElement>(null);
  const keyList = useRef<HTMLDialogElement>(null);
  useDocumentTitle();
  useKeys([
    { keys: '?', does: 'list the keys', run: () => keyList.current?.showModal() },
    {
      keys: NAMES.map((_, i) => String(i + 1)).join(' '),
      shown: '1 … 7',
      does: NAMES.map((name) => VIEW_KINDS[name].title).join(', '),
      run: ({ key }) => goTo(NAMES[Number(key) - 1]!),
    },
    { keys: '/', does: 'filter', run: () => focusFilter(main.current) },
    { keys: 'Escape', shown: 'Esc', does: 'clear filter, selection and range', run: clear },
  ]);
  const isTrace = opened.value?.kind === 'trace';
  return (
    <div class="frame">
      <Header onKeys={() => keyList.current?.showModal()} />
      <main class="frame-main" id="view" tabIndex={-1} ref={main}>
        {failure.value !== undefined && (
          <div class="frame-failure">
            <FailureNote failure={failure.value} onClose={clearFailure} />
          </div>
        )}
        <CurrentView name={view.value} />
      </main>
      {isTrace && VIEW_KINDS[view.value].hasCursor ? <Transport /> : <Fragment />}
      <Opening />
      <DropPlace />
      <KeyList dialog={keyList} />
    </div>
  );
}

function clearFailure(): void {
  failure.value = undefined;
}

/** Once for each thing that there is to clear: the innermost first. */
function clear(): void {
  if (filter.value !== '') filter.value = '';
  else if (Object.keys(selection.value).length > 0) selection.value = {};
  else range.value = undefined;
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}

function focusFilter(main: HTMLElement | null): void {
  main?.querySelector<HTMLInputElement>('input[type=search]')?.focus();
}

function useDocumentTitle(): void {
  const file = opened.value?.file;
  const { title } = VIEW_KINDS[view.value];
  useEffect(() => {
    document.title = file === undefined ? `${title} · slablab` : `${title} · ${file} · slablab`;
  }, [title, file]);
}

// ---- header ----------------------------------------------------------------------------------------------------------------

function Header({ onKeys }: { readonly onKeys: () => void }) {
  const tabs = useRef<HTMLElement>(null);
  useEffect(() => {
    tabs.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [view.value]);
  return (
    <header class="frame-header">
      <a
        class="brand"
        href={hashOfView('start')}
        onClick={(event) => {
          event.preventDefault();
          goTo('start');
        }}
      >
        slablab
      </a>
      <nav class="tabs" aria-label="Views" ref={tabs}>
        {NAMES.map((name) => (
          <a
            key={name}
            href={hashOfView(name)}
            aria-current={view.value === name ? 'page' : undefined}
            onClick={(event) => {
              if (event.ctrlKey || event.metaKey || event.shiftKey) return;
              event.preventDefault();
              goTo(name);
            }}
          >
            {VIEW_KINDS[name].title}
          </a>
        ))}
      </nav>
      <div class="frame-file">{openedWords()}</div>
      <div class="frame-actions">
        <ThemeButton />
        <button type="button" aria-label="List the keys" title="List the keys (?)" onClick={onKeys}>
          ?
        </button>
      </div>
    </header>
  );
}

function openedWords(): string {
  const { value } = opened;
  if (value === undefined) return '';
  if (value.kind !== 'trace') return value.file;
  return `${value.file} · ${formatCount(value.rows)} events`;
}

const THEMES: readonly Theme[] = ['system', 'light', 'dark'];
const THEME_SIGNS: Readonly<Record<Theme, string>> = { system: '◐', light: '☀', dark: '☾' };

function ThemeButton() {
  const now = theme.value;
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]!;
  return (
    <button
      type="button"
      aria-label={`Theme: ${now}. Change to ${next}`}
      title={`Theme: ${now}`}
      onClick={() => {
        theme.value = next;
      }}
    >
      {THEME_SIGNS[now]}
    </button>
  );
}

// ---- views -----------------------------------------------------------------------------------------------------------------

const loaded = new Map<ViewName, ComponentType>();

function CurrentView({ name }: { readonly name: ViewName }) {
  const [, setLoaded] = useState(0);
  const [error, setError] = useState<string>();
  const View = loaded.get(name);
  useEffect(() => {
    if (loaded.has(name)) return;
    setError(undefined);
    VIEW_KINDS[name].load().then(
      (component) => {
        loaded.set(name, component);
        setLoaded(loaded.size);
      },
      (reason: unknown) => setError(String(reason)),
    );
  }, [name]);
  if (View !== undefined) return <View key={name} />;
  if (error !== undefined)
    return (
      <p class="failure">
        This view could not be loaded ({error}). Without a network, only what was visited before is there.
      </p>
    );
  return <p class="visually-hidden">Loading {VIEW_KINDS[name].title}</p>;
}

// ---- opening files ---------------------------------------------------------------------------------------------------------

/** What takes less is not worth a box that comes and goes. */
const SHOW_AFTER_MS = 200;

function Opening() {
  const now = opening.value;
  const [isLong, setIsLong] = useState(false);
  const names = now?.names;
  useEffect(() => {
    setIsLong(false);
    if (names === undefined) return;
    const timer = setTimeout(() => setIsLong(true), SHOW_AFTER_MS);
    return () => clearTimeout(timer);
  }, [names]);
  if (now === undefined || !isLong) return null;
  const { progress } = now;
  const rate =
    progress === undefined || progress.elapsed === 0 ? 0 : (progress.events / progress.elapsed) * 1000;
  return (
    <div class="opening" role="status" aria-label="Opening">
      <div class="toolbar">
        <strong>{progress?.what ?? `opening ${now.names}`}</strong>
        <button type="button" onClick={cancelOpening}>
          Cancel
        </button>
      </div>
      <progress aria-label="Progress" max={1} value={progress?.share} />
      <div class="muted">
        {formatCount(progress?.events ?? 0)} events
        {rate > 0 && ` · ${formatCount(Math.round(rate / 1000) * 1000)} a second`}
        {progress?.share !== undefined && ` · ${Math.floor(progress.share * 100)} %`}
      </div>
    </div>
  );
}

function DropPlace() {
  const [isOver, setIsOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
    const enter = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth++;
      setIsOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setIsOver(false);
    };
    const over = (event: DragEvent) => {
      if (hasFiles(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      depth = 0;
      setIsOver(false);
      const files = [...(event.dataTransfer?.files ?? [])];
      if (event.defaultPrevented || files.length === 0) return;
      event.preventDefault();
      dropFiles(files);
    };
    addEventListener('dragenter', enter);
    addEventListener('dragleave', leave);
    addEventListener('dragover', over);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragenter', enter);
      removeEventListener('dragleave', leave);
      removeEventListener('dragover', over);
      removeEventListener('drop', drop);
    };
  }, []);
  return isOver ? <div class="drop-here">Drop a trace, its snapshots, or both</div> : null;
}

async function dropFiles(files: readonly File[]): Promise<void> {
  const isOpen = await openFiles(files.map((blob) => ({ name: blob.name, blob })));
  if (isOpen && view.value === 'start') goTo(opened.value?.kind === 'snapshots' ? 'caches' : 'time');
}

// ---- keys ------------------------------------------------------------------------------------------------------------------

function KeyList({ dialog }: { readonly dialog: { readonly current: HTMLDialogElement | null } }) {
  const bindings = keyBindings();
  return (
    <dialog ref={dialog as preact.RefObject<HTMLDialogElement>} aria-labelledby="key-list-title">
      <h2 id="key-list-title">Keys</h2>
      <dl class="key-list">
        {bindings.map(({ keys, shown, does }) => (
          <Fragment key={`${keys} ${does}`}>
            <dt>
              {(shown ?? keys).split(' ').map((key) => (key === '…' ? ' … ' : <kbd key={key}>{key}</kbd>))}
            </dt>
            <dd>{does}</dd>
          </Fragment>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
