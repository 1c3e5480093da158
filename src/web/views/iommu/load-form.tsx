/** Which load is run, and how the driver differs from a kernel's of today. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { type Choice, type Desk, type LoadName, wholeNumber } from './desk.js';

const LOADS: readonly (readonly [name: LoadName, title: string])[] = [
  ['generated', 'generated: a phone'],
  ['recorded', 'recorded: Linux 6.1'],
  ['script', 'a script'],
];

export function LoadForm({ desk }: { readonly desk: Desk }) {
  const choice = desk.choice.value;
  const input = useRef<HTMLInputElement>(null);
  const file = desk.file.value;
  const change = (part: Partial<Choice>) => void desk.start({ ...choice, ...part });
  return (
    <div class="iommu-form">
      <div class="toolbar">
        <label>
          load{' '}
          <select
            aria-label="load"
            value={choice.load}
            onChange={({ currentTarget }) => change({ load: currentTarget.value as LoadName })}
          >
            {LOADS.map(([name, title]) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
            {file !== undefined && <option value="file">{file.name}</option>}
          </select>
        </label>
        {choice.load === 'generated' && (
          <>
            <NumberField
              label="seed"
              value={choice.seed}
              least={0}
              most={999_999_999}
              onChange={(seed) => change({ seed })}
            />
            <NumberField
              label="operations"
              value={choice.ops}
              least={1}
              most={1_000_000}
              onChange={(ops) => change({ ops })}
            />
          </>
        )}
        <Check
          label="without DMA32"
          about="The bug: tables from a cache without SLAB_CACHE_DMA32"
          checked={choice.withoutDma32}
          onChange={(withoutDma32) => change({ withoutDma32 })}
        />
        <Check
          label="give empty tables back"
          about="What the kernel never does: compared side by side"
          checked={choice.freeEmpty}
          onChange={(freeEmpty) => change({ freeEmpty })}
        />
        <Check
          label="bugs mended"
          about="The driver’s own bugs: as the kernel has them, or mended"
          checked={choice.fixed}
          onChange={(fixed) => change({ fixed })}
        />
        <label title="v6: kernels that did not check whether a table could be allocated">
          era{' '}
          <select
            aria-label="era"
            value={choice.era}
            onChange={({ currentTarget }) => change({ era: currentTarget.value === 'v6' ? 'v6' : 'current' })}
          >
            <option value="current">current</option>
            <option value="v6">v6</option>
          </select>
        </label>
        <button type="button" onClick={() => input.current?.click()}>
          Open a file …
        </button>
        <input
          ref={input}
          class="visually-hidden"
          type="file"
          tabIndex={-1}
          aria-label="A script or a recorded workload"
          onChange={({ currentTarget }) => {
            const [blob] = currentTarget.files ?? [];
            if (blob !== undefined) desk.open({ name: blob.name, blob });
            currentTarget.value = '';
          }}
        />
      </div>
      {choice.load === 'script' && <ScriptField desk={desk} />}
    </div>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly onChange: (value: number) => void;
}

/** Changes when it is left or Enter is pressed: each key of a number would be a run. */
function NumberField({ label, value, least, most, onChange }: NumberFieldProps) {
  const typed = useSignal<string | undefined>(undefined);
  return (
    <label>
      {label}{' '}
      <input
        class="iommu-number"
        type="number"
        min={least}
        max={most}
        value={typed.value ?? value}
        onInput={({ currentTarget }) => {
          typed.value = currentTarget.value;
        }}
        onChange={({ currentTarget }) => {
          const meant = wholeNumber(currentTarget.value, least, most);
          typed.value = undefined;
          if (meant === undefined) currentTarget.value = String(value);
          else onChange(meant);
        }}
      />
    </label>
  );
}

interface CheckProps {
  readonly label: string;
  readonly about: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}

function Check({ label, about, checked, onChange }: CheckProps) {
  return (
    <label title={about}>
      <input
        type="checkbox"
        checked={checked}
        onChange={({ currentTarget }) => onChange(currentTarget.checked)}
      />{' '}
      {label}
    </label>
  );
}

function ScriptField({ desk }: { readonly desk: Desk }) {
  const choice = desk.choice.value;
  const text = useSignal(choice.script);
  const area = useRef<HTMLTextAreaElement>(null);
  const run = desk.run.value;
  const line = run.kind === 'failed' ? run.failure.line : undefined;
  useEffect(() => {
    text.value = choice.script;
  }, [choice.script]);
  // The line that is wrong is marked where it stands.
  useEffect(() => {
    if (line === undefined || area.current === null) return;
    const lines = area.current.value.split('\n');
    const from = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    area.current.focus();
    area.current.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
  }, [line, run]);
  return (
    <form
      class="iommu-script"
      onSubmit={(event) => {
        event.preventDefault();
        desk.start({ ...choice, script: text.value }, true);
      }}
    >
      <textarea
        ref={area}
        aria-label="Script of maps and unmaps"
        rows={7}
        spellcheck={false}
        value={text.value}
        onInput={({ currentTarget }) => {
          text.value = currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          event.currentTarget.form?.requestSubmit();
        }}
      />
      <div>
        <button type="submit" class="primary">
          Run <kbd>Ctrl Enter</kbd>
        </button>
        <pre class="muted">{`map IOVA PADDR SIZE [chunk=N stride=N] [prot=A|B] [gfp=A|B]
map IOVA PADDR pgsize=4K|64K|1M|16M [count=N]
unmap IOVA SIZE    unmap IOVA pgsize=N [count=N]
phys IOVA          exhaust          release`}</pre>
      </div>
    </form>
  );
}
