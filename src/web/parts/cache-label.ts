/** Names of caches as they are shown: what is only likely has a `?`. */
import { computed } from '@preact/signals';
import { cacheLabels } from '../../lab/index.js';
import { opened } from '../state/store.js';

const labels = computed(() => {
  const { value } = opened;
  return value?.kind === 'trace' ? cacheLabels(value.result) : (name: string) => name;
});

/** The name of a cache of the open trace, as it is shown. Whoever looks a cache up goes by the name itself. */
export function shownCache(name: string): string {
  return labels.value(name);
}
