/** The settings of one side: a text as `--set` takes it, and a control for each thing that can be set. */
import { useId, useState } from 'preact/hooks';
import {
  CACHE_CONTROLS,
  type Control,
  cachesIn,
  MACHINE_CONTROLS,
  problemOf,
  settingValue,
  withoutCache,
  withValue,
} from './settings.js';

interface FormProps {
  /** What the side is called: A or B. */
  readonly name: string;
  readonly text: string;
  readonly onText: (text: string) => void;
  /** What the machine found wrong with it, such as a cache that there is none of. */
  readonly failure: string | undefined;
  /** Names of caches, to choose from. */
  readonly caches: readonly string[];
}

export function SettingsForm({ name, text, onText, failure, caches }: FormProps) {
  const id = useId();
  // A cache that was chosen and has no setting yet.
  const [added, setAdded] = useState<readonly string[]>([]);
  const named = cachesIn(text);
  const shown = [...named, ...added.filter((cache) => !named.includes(cache))];
  const set = (cache: string, word: string, value: string | undefined) =>
    onText(withValue(text, cache, word, value));
  const remove = (cache: string) => {
    setAdded(added.filter((each) => each !== cache));
    onText(withoutCache(text, cache));
  };
  return (
    <section class="side" aria-labelledby={`${id}-title`} data-side={name}>
      <header>
        <h2 id={`${id}-title`}>
          <span class={`side-mark side-${name.toLowerCase()}`}>{name}</span>{' '}
          {text === '' ? 'as recorded' : 'another machine'}
        </h2>
        {text !== '' && (
          <button type="button" class="quiet" onClick={() => onText('')}>
            ✕ as recorded
          </button>
        )}
      </header>
      <SettingsText id={id} text={text} onText={onText} failure={failure} />
      <details class="controls" open={hasRoom() && (name === 'B' || text !== '')}>
        <summary>Settings of the machine</summary>
        <div class="control-grid">
          {MACHINE_CONTROLS.map((control) => (
            <ControlField key={control.word} control={control} cache="" text={text} onSet={set} />
          ))}
        </div>
      </details>
      {shown.map((cache) => (
        <fieldset key={cache} class="cache-settings">
          <legend>
            <span class="mono">{cache}</span>{' '}
            <button
              type="button"
              class="quiet"
              onClick={() => remove(cache)}
              aria-label={`Leave ${cache} as recorded`}
            >
              ✕
            </button>
          </legend>
          <div class="control-grid">
            {CACHE_CONTROLS.map((control) => (
              <ControlField key={control.word} control={control} cache={cache} text={text} onSet={set} />
            ))}
          </div>
        </fieldset>
      ))}
      <AddCache
        caches={caches.filter((cache) => !shown.includes(cache))}
        onAdd={(cache) => setAdded([...added, cache])}
      />
    </section>
  );
}

/** Where there is little room what it comes to is nearer without all controls. */
const hasRoom = () => innerWidth > 900;

/** The text itself. What is typed counts when Enter is pressed or the field is left. */
function SettingsText({
  id,
  text,
  onText,
  failure,
}: Pick<FormProps, 'text' | 'onText' | 'failure'> & { readonly id: string }) {
  const [draft, setDraft] = useState<string | undefined>(undefined);
  const typed = draft ?? text;
  const problem = problemOf(typed) ?? (draft === undefined ? failure : undefined);
  const commit = () => {
    if (draft !== undefined && draft.trim() !== text) onText(draft.trim());
    setDraft(undefined);
  };
  return (
    <div class="settings-text">
      <label for={`${id}-text`}>Settings, as --set takes them</label>
      <textarea
        id={`${id}-text`}
        class="mono"
        rows={1}
        spellcheck={false}
        autocomplete="off"
        placeholder="as recorded"
        value={typed}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-problem`}
        onInput={(event) => setDraft(event.currentTarget.value)}
        onChange={commit}
        onKeyDown={(event) => {
          if (event.key === 'Enter') {
            event.preventDefault();
            commit();
          } else if (event.key === 'Escape' && draft !== undefined) {
            setDraft(undefined);
            event.stopPropagation();
          }
        }}
      />
      <p id={`${id}-problem`} class="failure" role="alert" hidden={problem === undefined}>
        {problem}
      </p>
    </div>
  );
}

/** What stands for no setting among the values of a choice, none of which has such a sign. */
const AS_IT_WAS = '\u2022';

function ControlField({
  control,
  cache,
  text,
  onSet,
}: {
  readonly control: Control;
  readonly cache: string;
  readonly text: string;
  readonly onSet: (cache: string, word: string, value: string | undefined) => void;
}) {
  const id = useId();
  const { word, label, about } = control;
  const value = settingValue(text, cache, word);
  // What is being typed stays when the page draws itself again, as it does while replays run.
  const [draft, setDraft] = useState<string | undefined>(undefined);
  const commit = (next: string) => {
    setDraft(undefined);
    const set = next === AS_IT_WAS || (next === '' && control.kind !== 'choice') ? undefined : next.trim();
    if (set !== value) onSet(cache, word, set);
  };
  const typing = {
    value: draft ?? value ?? '',
    onInput: (event: Event) => setDraft((event.currentTarget as HTMLInputElement).value),
  };
  const common = {
    id,
    title: about,
    name: cache === '' ? word : `${cache}.${word}`,
    onChange: (event: Event) => commit((event.currentTarget as HTMLInputElement | HTMLSelectElement).value),
  };
  return (
    <div class={`control ${value === undefined ? '' : 'is-set'}`}>
      <label for={id} title={about}>
        {label}
      </label>
      {control.kind === 'choice' ? (
        <select {...common} value={value ?? AS_IT_WAS}>
          <option value={AS_IT_WAS}>as recorded</option>
          {control.choices.map(([each, words]) => (
            <option key={each} value={each}>
              {words}
            </option>
          ))}
          {value !== undefined && !control.choices.some(([each]) => each === value) && (
            <option value={value}>{value}</option>
          )}
        </select>
      ) : control.kind === 'number' ? (
        <input
          {...common}
          type="number"
          min={control.least}
          max={control.most}
          step={1}
          {...typing}
          placeholder={control.unit === '' ? 'as recorded' : control.unit}
        />
      ) : (
        <>
          <input
            {...common}
            type="text"
            class="mono"
            list={`${id}-likely`}
            spellcheck={false}
            autocomplete="off"
            {...typing}
            placeholder={control.example}
          />
          <datalist id={`${id}-likely`}>
            {control.likely.map((each) => (
              <option key={each} value={each} />
            ))}
          </datalist>
        </>
      )}
    </div>
  );
}

function AddCache({
  caches,
  onAdd,
}: {
  readonly caches: readonly string[];
  readonly onAdd: (cache: string) => void;
}) {
  const id = useId();
  const [name, setName] = useState('');
  const add = () => {
    const cache = name.trim();
    if (cache === '') return;
    onAdd(cache);
    setName('');
  };
  return (
    <form
      class="add-cache"
      onSubmit={(event) => {
        event.preventDefault();
        add();
      }}
    >
      <label for={id} class="visually-hidden">
        A cache to change
      </label>
      <input
        id={id}
        class="mono"
        list={`${id}-names`}
        placeholder="a cache, such as dentry"
        value={name}
        spellcheck={false}
        autocomplete="off"
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <datalist id={`${id}-names`}>
        {caches.map((cache) => (
          <option key={cache} value={cache} />
        ))}
      </datalist>
      <button type="submit" disabled={name.trim() === ''}>
        Change a cache
      </button>
    </form>
  );
}
