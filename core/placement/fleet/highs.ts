/** HiGHS (MIT), compiled to WebAssembly, as the solver of placement. Loading reads the binary once; solving is computation alone. */
import highsModule, { type Highs } from 'highs';
import type { Milp, MilpOptions, MilpSolution, MilpSolver } from './milp.ts';

/** The package's types are those of its CommonJS form; what Node imports is the function itself. */
const loadHighs = highsModule as unknown as typeof highsModule.default;

/** Takes about 50 ms. The solver blocks its thread: plans of large fleets belong in a worker. */
export async function loadHighsSolver(): Promise<MilpSolver> {
  const highs = await loadHighs();
  return (milp, options) => solve(highs, milp, options);
}

function solve(highs: Highs, milp: Milp, { relativeGap, absoluteGap, maxNodes, start }: MilpOptions): MilpSolution {
  if (milp.columns.length === 0) return milp.rows.some((r) => r.lower > 0) ? { status: 'infeasible' } : NOTHING;
  return highs.withModel(modelData(highs, milp), (model): MilpSolution => {
    model.options.set({ output_flag: false, random_seed: 1, mip_rel_gap: relativeGap, mip_abs_gap: absoluteGap, mip_max_nodes: maxNodes });
    if (start) model.setSolution({ colValue: Float64Array.from(start) });
    model.run();
    const status = model.getModelStatus();
    const { modelStatus } = highs.constants;
    if (status === modelStatus.infeasible || status === modelStatus.unboundedOrInfeasible) return { status: 'infeasible' };
    const values = Array.from(model.getSolution().colValue, (value, i) => (milp.columns[i]!.integer ? Math.round(value) : value));
    const objective = model.getObjectiveValue();
    const bound = milp.columns.some((c) => c.integer) ? Number(model.info.get('mip_dual_bound')) : objective;
    if (values.length !== milp.columns.length || !Number.isFinite(objective) || !Number.isFinite(bound)) {
      throw new Error(`HiGHS ended with status ${status}, objective ${objective}, bound ${bound}`);
    }
    return { status: 'solved', values, objective, bound: Math.min(bound, objective) };
  });
}

const NOTHING: MilpSolution = { status: 'solved', values: [], objective: 0, bound: 0 };

function modelData(highs: Highs, { columns, rows }: Milp) {
  const { integer, continuous } = highs.constants.variableType;
  const starts = [0];
  for (const row of rows) starts.push(starts.at(-1)! + row.terms.length);
  const terms = rows.flatMap((r) => r.terms);
  return {
    numCols: columns.length,
    numRows: rows.length,
    colCost: columns.map((c) => c.cost),
    colLower: columns.map((c) => c.lower),
    colUpper: columns.map((c) => c.upper),
    rowLower: rows.map((r) => r.lower),
    rowUpper: rows.map((r) => r.upper),
    integrality: columns.map((c) => (c.integer ? integer : continuous)),
    matrix: {
      format: 'csr' as const,
      numCols: columns.length,
      numRows: rows.length,
      starts,
      indices: terms.map(([column]) => column),
      values: terms.map(([, coefficient]) => coefficient),
    },
  };
}
