/** The equation of the ledger, checked term by term. */
export { checkMachine } from './slub.js';
