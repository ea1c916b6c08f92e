/**
 * Rules on the sources, types included. `scripts/check-arrows.mjs` runs them, and those of `.dependency-cruiser.code.cjs` on what is left
 * when types are gone. Through swc, because dependency-cruiser cannot read TypeScript 7 and would find no module at all.
 */
const { arrowRules } = require('./scripts/arrows.cjs');

module.exports = {
  forbidden: [
    ...arrowRules(true),
    { name: 'nothing-dangling', severity: 'error', comment: 'every import is found', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    // Tests may import what they like.
    exclude: { path: '^(dist|\\.cache|test)/|\\.test\\.tsx?$' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.mjs', '.cjs', '.js', '.json'],
      conditionNames: ['import', 'node', 'default', 'types'],
      exportsFields: ['exports'],
    },
  },
};
