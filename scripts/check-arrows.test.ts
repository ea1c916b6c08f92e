import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('./check-arrows.mjs', import.meta.url));
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'uellm-arrows-test-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Runs the check on a tree of the given files. */
function check(files: Record<string, string>, atLeast = Object.keys(files).length): Promise<{ code: number; output: string }> {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, '--root', root, '--at-least', String(atLeast)], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr });
    });
  });
}

describe('the check of the arrows', { timeout: 30_000 }, () => {
  it('finds planted violations: an arrow against its direction, an impure core, a cycle, a missing file', async () => {
    const { code, output } = await check({
      'db/client.ts': "import { gateway } from '../gateway/server.ts';\nexport const client = gateway;",
      'gateway/server.ts': 'export const gateway = 1;',
      'core/domain/clock.ts': "import { hrtime } from 'node:process';\nexport const now = hrtime;",
      'core/profiler/a.ts': "import { b } from './b.ts';\nexport const a = () => b;",
      'core/profiler/b.ts': "import { a } from './a.ts';\nexport const b = () => a;",
      'core/scheduler/round.ts': "export { gone } from './gone.ts';",
      'core/placement/plan.ts': "import type { A } from '../scheduler/round.ts';\nexport type Plan = A;",
    });
    expect(code).toBe(1);
    expect(output).toContain('arrows-of-db: db/client.ts → gateway/server.ts');
    expect(output).toContain('core-is-pure: core/domain/clock.ts → process');
    expect(output).toContain('no-cycles: core/profiler/a.ts');
    expect(output).toContain('nothing-dangling: core/scheduler/round.ts → ./gone.ts');
    expect(output).toContain('arrows-of-core-placement: core/placement/plan.ts → core/scheduler/round.ts');
  });

  it('lets workflows know the types of activities, not their code', async () => {
    const activities = { 'activities/index.ts': 'export const act = () => 1;\nexport type Act = typeof act;' };
    const types = await check({
      ...activities,
      'workflows/a.ts': "import type { Act } from '../activities/index.ts';\nexport type A = Act;",
    });
    expect(types).toEqual({ code: 0, output: 'arrows: 2 modules, 0 problems\n' });
    const code = await check({ ...activities, 'workflows/a.ts': "import { act } from '../activities/index.ts';\nexport const a = act;" });
    expect(code.output).toContain('arrows-of-workflows: workflows/a.ts → activities/index.ts');
  });

  it('fails where it reads too little', async () => {
    const { code, output } = await check({ 'db/client.ts': 'export const client = 1;' }, 2);
    expect(code).toBe(1);
    expect(output).toContain('only 1 modules were read, of at least 2');
  });
});
