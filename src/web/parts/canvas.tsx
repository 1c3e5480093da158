/** A canvas as large as its place, sharp on every screen, drawn again when its size, the theme or what it shows changes. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { type Palette, palette } from './colours.js';

/** Draws in CSS pixels; what was there is gone. */
export type Draw = (
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  palette: Palette,
) => void;

interface CanvasProps {
  readonly draw: Draw;
  /** What it shows, for those who do not see it. */
  readonly label: string;
  readonly class?: string;
  /** Told the width and height, in CSS pixels, when they are others. */
  readonly onSize?: (width: number, height: number) => void;
}

export function Canvas({ draw, label, class: name, onSize }: CanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const colours = palette.value;

  useLayoutEffect(() => {
    const place = canvas.current?.parentElement;
    if (place === null || place === undefined) return;
    const measure = () => {
      const { clientWidth: width, clientHeight: height } = place;
      setSize((was) => (was.width === width && was.height === height ? was : { width, height }));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(place);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    if (size.width > 0) onSize?.(size.width, size.height);
  }, [size]);

  useLayoutEffect(() => {
    const { current } = canvas;
    const context = current?.getContext('2d');
    if (!current || !context || size.width === 0 || size.height === 0) return;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
    if (current.width !== width) current.width = width;
    if (current.height !== height) current.height = height;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, size.width, size.height);
    draw(context, size.width, size.height, colours);
  });

  return (
    <canvas
      ref={canvas}
      class={name}
      role="img"
      aria-label={label}
      style={{ width: `${size.width}px`, height: `${size.height}px`, display: 'block' }}
    />
  );
}
