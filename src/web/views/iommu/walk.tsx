/** How an address is read, bit by bit: what `slablab iommu --walk` prints. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { formatAddress, formatCount, KIB, MIB } from '../../../base/index.js';
import type { WalkSteps } from '../../worker/iommu-calls.js';
import { addressOf } from './desk.js';

type Step = WalkSteps[number];

interface WalkProps {
  readonly iova: number;
  /** Bits of an input address. */
  readonly ias: number;
  readonly steps: WalkSteps | undefined;
  readonly onGo: (iova: number) => void;
}

export function Walk({ iova, ias, steps, onGo }: WalkProps) {
  return (
    <section class="iommu-walk" aria-label="Walk">
      <AddressField iova={iova} ias={ias} onGo={onGo} />
      <Split iova={iova} ias={ias} />
      {steps?.map((step) => (
        <WalkStep key={step.level} step={step} iova={iova} />
      ))}
    </section>
  );
}

function AddressField({ iova, ias, onGo }: Omit<WalkProps, 'steps'>) {
  const typed = useSignal(formatAddress(iova));
  const problem = useSignal<string | undefined>(undefined);
  useEffect(() => {
    typed.value = formatAddress(iova);
    problem.value = undefined;
  }, [iova]);

  function go(event: Event): void {
    event.preventDefault();
    const address = addressOf(typed.value);
    if (address === undefined)
      problem.value = `expected an address such as 0x10000000, but there stands '${typed.value}'`;
    else if (address >= 2 ** ias)
      problem.value = `an input address has ${ias} bits here: there is no ${formatAddress(address)}`;
    else {
      problem.value = undefined;
      onGo(address);
    }
  }

  return (
    <form class="iommu-address" onSubmit={go}>
      <label>
        <span>input address</span>
        <input
          class="mono"
          value={typed.value}
          spellcheck={false}
          aria-invalid={problem.value !== undefined}
          onInput={({ currentTarget }) => {
            typed.value = currentTarget.value;
          }}
        />
      </label>
      <button type="submit">Walk</button>
      {problem.value !== undefined && (
        <p class="failure" role="alert">
          {problem.value}
        </p>
      )}
    </form>
  );
}

/** Which bits of the address choose what. */
function Split({ iova, ias }: Pick<WalkProps, 'iova' | 'ias'>) {
  const [first, second, rest] = [
    Math.floor(iova / MIB),
    Math.floor(iova / (4 * KIB)) % 256,
    iova % (4 * KIB),
  ];
  const parts = [
    [`${ias - 1}:20`, 'first level', formatCount(first)],
    ['19:12', 'second level', formatCount(second)],
    ['11:0', 'byte', formatAddress(rest)],
  ] as const;
  return (
    <dl class="iommu-split">
      {parts.map(([bits, what, value]) => (
        <div key={what}>
          <dt>
            {what} <span class="muted">{bits}</span>
          </dt>
          <dd class="iommu-part">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** `01 1010`: so many bits of a word, the highest first. */
function bitsOf(word: number, high: number, low: number): string {
  return (word >>> 0)
    .toString(2)
    .padStart(32, '0')
    .slice(31 - high, 32 - low);
}

function WalkStep({ step, iova }: { readonly step: Step; readonly iova: number }) {
  const { level, index, entry, descriptor, kind, fields, output, next } = step;
  const word = `0x${(descriptor >>> 0).toString(16).padStart(8, '0')}`;
  const pointed = useSignal<string | undefined>(undefined);
  return (
    <div class="iommu-step" data-level={level}>
      <h4>
        level {level}, entry {formatCount(index)} at {formatAddress(entry)}: <code>{word}</code>, {kind}
      </h4>
      <p class="iommu-bits" aria-hidden="true">
        {fields.map(({ name, bits: [high, low] }, i) => (
          <span
            key={`${name} ${high}`}
            class={`iommu-field ${i % 2 === 1 ? 'odd' : ''} ${pointed.value === name ? 'pointed' : ''}`}
            title={name}
          >
            {bitsOf(descriptor, high, low)}
          </span>
        ))}
      </p>
      <table class="iommu-fields">
        <caption class="visually-hidden">Fields of the descriptor at level {level}</caption>
        <tbody>
          {fields.map(({ name, bits: [high, low], meaning }) => (
            <tr
              key={`${name} ${high}`}
              onPointerEnter={() => {
                pointed.value = name;
              }}
              onPointerLeave={() => {
                pointed.value = undefined;
              }}
            >
              <td class="mono num">{high === low ? high : `${high}:${low}`}</td>
              <td class="mono">
                {high - low > 8
                  ? formatAddress(Number.parseInt(bitsOf(descriptor, high, low), 2))
                  : bitsOf(descriptor, high, low)}
              </td>
              <th scope="row">{name}</th>
              <td>{meaning}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="iommu-leads">{leads(next, output, iova)}</p>
    </div>
  );
}

/** Where a step leads, in the words of the command line. */
function leads(next: number | undefined, output: number | undefined, iova: number): string {
  if (next !== undefined) return `→ the table at ${formatAddress(next)}`;
  if (output !== undefined) return `→ ${formatAddress(iova)} is physical ${formatAddress(output)}`;
  return `→ nothing is mapped at ${formatAddress(iova)}: a fault`;
}
