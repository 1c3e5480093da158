/**
 * RAM as it is: one range from address 0, for a program that allocates from memory of its own and models no board.
 *
 *     flatMap('256M', [{ name: 'DMA32', end: 4 * GIB }])
 *
 * The first page is never handed out, because address 0 is NULL.
 */
import { ArgumentError, parseSize } from '../base/index.js';
import type { MemoryMap, ZoneSpec } from './memory-map.js';

/**
 * `memory` in bytes, or as text: 256M, 1G. `zones` from low to high, each with the first byte behind it; what lies above the last one is
 * Normal. Throws ArgumentError for zones that do not ascend.
 */
export function flatMap(memory: number | string, zones: readonly ZoneSpec[] = []): MemoryMap {
  const end = typeof memory === 'string' ? parseSize(memory) : memory;
  if (!Number.isSafeInteger(end) || end <= 0)
    throw new ArgumentError(`a machine's memory is a whole number of bytes above 0, not ${memory}`);
  zones.forEach(({ name, end: zoneEnd }, i) => {
    const from = zones[i - 1]?.end ?? 0;
    if (!(zoneEnd > from))
      throw new ArgumentError(`zone ${name} ends at ${zoneEnd}, where ${from} is the end before it`);
    if (zones.some((other, at) => at < i && other.name === name))
      throw new ArgumentError(`two zones are called ${name}`);
  });
  const normal: ZoneSpec = { name: 'Normal', end: Number.POSITIVE_INFINITY };
  return {
    name: 'flat',
    title: 'one range of memory from address 0',
    ram: [{ start: 0, end }],
    reserved: [],
    zones: zones.some(({ name }) => name === 'Normal') ? zones : [...zones, normal],
  };
}
