/** A log that nobody reads. */
export { silentLog } from '../src/log.js';
