/** The field that narrows the table: what is typed is in the address. */
import { filter } from '../../state/store.js';

export function FilterInput() {
  return (
    <label class="filter">
      <span class="visually-hidden">Filter caches by name or flags</span>
      <input
        type="search"
        placeholder="filter: kmalloc -cg ^dentry$"
        title="Words that must be in a name or in the flags; -word: not in them; ^word, word$: at its beginning, at its end"
        value={filter.value}
        spellcheck={false}
        autocomplete="off"
        onInput={(event) => {
          filter.value = event.currentTarget.value;
        }}
      />
    </label>
  );
}
