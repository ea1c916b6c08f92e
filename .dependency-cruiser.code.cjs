/** Rules on the code that runs: the sources without their types, as `scripts/check-arrows.mjs` makes them. */
const { arrowRules } = require('./scripts/arrows.cjs');

module.exports = {
  forbidden: [
    ...arrowRules(false),
    {
      name: 'core-is-pure',
      severity: 'error',
      comment: 'core decides: it has no clock, no files, no network',
      from: { path: '^core/' },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'no-cycles', severity: 'error', comment: 'no file imports itself by a detour', from: {}, to: { circular: true } },
  ],
  options: { doNotFollow: { path: 'node_modules' } },
};
