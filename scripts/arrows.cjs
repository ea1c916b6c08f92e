/** The arrows of the house: who may import whom. Each folder may import itself, packages, and what is listed; `bin` may import everything. */
const ARROWS = {
  'core/domain': { code: [] },
  'core/profiler': { code: ['core/domain/'] },
  'core/scheduler': { code: ['core/domain/'] },
  'core/placement': { code: ['core/domain/'] },
  'core/simulator': { code: ['core/'] },
  db: { code: ['core/'] },
  engines: { code: ['core/'] },
  activities: { code: ['core/', 'db/', 'engines/'] },
  workflows: { code: ['core/domain/'], types: ['activities/'] },
  gateway: { code: ['core/', 'db/', 'engines/'] },
  profiler: { code: ['core/', 'db/'] },
  api: { code: ['core/', 'db/', 'workflows/messages\\.js$'] },
  web: { code: ['api/client\\.js$'], types: ['api/schema/', 'core/domain/'] },
  cli: { code: ['core/', 'api/client\\.js$'], types: ['api/schema/'] },
};

const OURS = '^(core|db|engines|activities|workflows|gateway|profiler|api|web|cli|bin|test|scripts|bench)/';

module.exports = { ARROWS, OURS };
