/** How long decisions take and how fast the simulator is, as text and against the bars. */
import { renderTable } from '../support/table.ts';
import { DECISION_SETTINGS, type Decisions } from './decisions.ts';
import { OURS } from './plan.ts';
import { SPEED_BARS, SPEED_PREDICTORS, type Speed } from './speed.ts';
import { type Bar, percent } from './summary.ts';

export function renderDecisions(all: readonly Decisions[]): string {
  const header = ['policy', 'engines', 'queued', 'p50 us', 'p99 us', 'max us', 'p99 us of releases', 'calls', 'releases', 'open an engine'];
  const rows = all.map((d) => [
    d.policy,
    String(d.engines),
    String(d.queued),
    ...[d.p50Us, d.p99Us, d.maxUs, d.releaseP99Us].map((us) => us.toFixed(us < 10 ? 1 : 0)),
    String(d.calls),
    String(d.releases),
    d.runningPerEngine.toFixed(0),
  ]);
  return `One decision under overload, by the clock (others on the machine make the slowest slower)\n${renderTable(header, rows)}`;
}

export function renderSpeed(all: readonly Speed[]): string {
  const header = ['policy', 'lengths', 'rate scale', 'attainment', 'requests/s'];
  const rows = all.map((s) => [
    s.policy,
    s.predictor,
    String(s.rateScale),
    percent(s.attainment),
    Math.round(s.requestsPerSecond).toLocaleString('en-US'),
  ]);
  return `The simulator on one core: chats on 8 H100\n${renderTable(header, rows, 2)}`;
}

export function timingBars(decisions: readonly Decisions[], speeds: readonly Speed[]): Bar[] {
  return [
    ...DECISION_SETTINGS.flatMap(({ engines, queued, p99BarUs }) => {
      const ours = decisions.find((d) => d.policy === OURS && d.engines === engines);
      if (!ours) return [];
      const aim = `a decision's p99 at most ${p99BarUs} us with ${engines} engines and ${queued} queued`;
      return [{ aim, reached: ours.p99Us <= p99BarUs, figure: `${ours.p99Us.toFixed(0)} us` }];
    }),
    ...SPEED_BARS.flatMap(({ policy, leastPerSecond }) =>
      SPEED_PREDICTORS.flatMap((predictor) => {
        const own = speeds.filter((s) => s.policy === policy && s.predictor === predictor).map((s) => s.requestsPerSecond);
        if (own.length === 0) return [];
        const [least, most] = [Math.min(...own), Math.max(...own)].map((value) => Math.round(value).toLocaleString('en-US'));
        const aim = `${leastPerSecond.toLocaleString('en-US')} simulated requests a second with ${policy}, lengths ${predictor}`;
        return [{ aim, reached: Math.min(...own) >= leastPerSecond, figure: `${least} to ${most}, by rate` }];
      }),
    ),
  ];
}
