/** What differs between two objects, as the commands say it. */
export { diffLines } from '../core/domain/diff-lines.ts';
