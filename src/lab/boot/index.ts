/** How a machine is made that stands where a recorded one stood. */
export { ledgerRoom } from './ledger-room.js';
export { bootOptions } from './options.js';
