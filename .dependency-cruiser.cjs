/**
 * The arrows as rules. `scripts/check-arrows.mjs` runs them on what swc makes of the sources, because dependency-cruiser cannot read
 * TypeScript 7 and would find no module at all. With ARROWS_OF=types, type-only imports are still there.
 */
const { ARROWS, OURS } = require('./scripts/arrows.cjs');

const types = process.env.ARROWS_OF === 'types';

const arrows = Object.entries(ARROWS).map(([folder, arrow]) => {
  const allowed = [...arrow.code, ...(types ? (arrow.types ?? []) : [])];
  return {
    name: `arrows-of-${folder.replace('/', '-')}`,
    severity: 'error',
    comment: `${folder} may import ${allowed.join(', ') || 'nothing else of ours'}`,
    from: { path: `^${folder}/` },
    to: { path: OURS, pathNot: `^(${[`${folder}/`, ...allowed].join('|')})` },
  };
});

/** What a type may do: a cycle of types is no cycle. */
const ofCode = [
  {
    name: 'core-is-pure',
    severity: 'error',
    comment: 'core decides: it has no clock, no files, no network',
    from: { path: '^core/' },
    to: { dependencyTypes: ['core'] },
  },
  { name: 'no-cycles', severity: 'error', comment: 'no file imports itself by a detour', from: {}, to: { circular: true } },
];

const dangling = {
  name: 'nothing-dangling',
  severity: 'error',
  comment: 'every file that is imported is there',
  from: {},
  to: { couldNotResolve: true, path: '^\\..*\\.js$' },
};

module.exports = {
  forbidden: [...arrows, dangling, ...(types ? [] : ofCode)],
  options: { doNotFollow: { path: 'node_modules' } },
};
