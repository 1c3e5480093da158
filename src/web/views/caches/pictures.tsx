/** A slab and one of its objects, drawn to scale from the boxes that the command line draws too (lab/layout/boxes.ts). */
import { formatCount } from '../../../base/index.js';
import {
  type CacheLayout,
  type LayoutBox,
  objectBoxes,
  objectsWords,
  segmentLetter,
  segmentNote,
  slabBoxes,
} from '../../../lab/index.js';

/** Boxes that can be told apart; more objects are drawn as one pattern. */
const BOXES_MAX = 160;

export function SlabPicture({ layout }: { readonly layout: CacheLayout }) {
  const { before, objects, after } = slabBoxes(layout);
  const { slabSize, slabBytes, wasteBytes } = layout;
  const many: LayoutBox = { bytes: objects.length * slabSize, labels: [''], hatched: false };
  const isMany = objects.length > BOXES_MAX;
  const words =
    `A slab of ${formatCount(slabBytes)} bytes: ${objectsWords(objects.length)} of ${slabSize} bytes, ` +
    `${wasteBytes} bytes are no object's.`;
  return (
    <div class="picture">
      <div class="boxes" role="img" aria-label={words}>
        {before.map((box) => (
          <Box key="before" box={box} />
        ))}
        {isMany ? (
          <span
            class="box comb"
            style={{ flex: `${many.bytes} 0 0`, backgroundSize: `${100 / objects.length}% 100%` }}
          />
        ) : (
          objects.map((box) => <Box key={box.labels[0]} box={box} />)
        )}
        {after.map((box) => (
          <Box key={box.labels[0]} box={box} />
        ))}
      </div>
      <div class="ruler" aria-hidden="true">
        <span>0</span>
        <span>{isMany ? `${formatCount(objects.length)} objects` : `${slabSize} each`}</span>
        <span>{formatCount(slabBytes)}</span>
      </div>
    </div>
  );
}

export function ObjectPicture({ layout }: { readonly layout: CacheLayout }) {
  const { segments, slabSize } = layout;
  const boxes = objectBoxes(segments);
  const words = segments.map(({ what, from, to }) => `${what} ${from} to ${to}`).join(', ');
  return (
    <div class="picture">
      <div class="boxes" role="img" aria-label={`An object of ${slabSize} bytes: ${words}.`}>
        {boxes.map((box, i) => (
          <Box key={segments[i]!.from} box={box} letter={segmentLetter(i)} kind={segments[i]!.what} />
        ))}
      </div>
      <table class="facts">
        <thead>
          <tr>
            <th>part</th>
            <th class="number">from</th>
            <th class="number">bytes</th>
            <th>what</th>
          </tr>
        </thead>
        <tbody>
          {segments.map((segment, i) => (
            <tr key={segment.from}>
              <td class="mono">{segmentLetter(i)}</td>
              <td class="number">{segment.from}</td>
              <td class="number">{segment.to - segment.from}</td>
              <td>
                {segment.what} <span class="muted">{segmentNote(segment)}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** As wide as its bytes, but never too narrow to be seen; the label that the width has room for is left to the style. */
function Box({
  box,
  letter,
  kind,
}: {
  readonly box: LayoutBox;
  readonly letter?: string;
  readonly kind?: string;
}) {
  const label = letter ?? box.labels.at(-1)!;
  const title = `${letter === undefined ? '' : `${letter}: `}${kind ?? box.labels[0]}, ${formatCount(box.bytes)} bytes`;
  return (
    <span
      class={`box${box.hatched ? ' hatched' : ''}`}
      data-kind={kind}
      style={{ flex: `${box.bytes} 0 0` }}
      title={title}
    >
      {label}
    </span>
  );
}
