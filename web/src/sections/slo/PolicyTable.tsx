import type { PolicyHistory } from '../../../../api/schema/index.ts';
import { Pill } from '../../parts/Pill.tsx';
import { percent, target } from '../../view/format.ts';
import { budgetTone, burnTone } from '../../view/slo.ts';

/** What each policy promises, and what is left of what may be missed. */
export function PolicyTable({ policies }: { policies: PolicyHistory[] }) {
  return (
    <div class="card scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Policy</th>
            <th scope="col" class="number">
              Requests
            </th>
            <th scope="col" class="number">
              Missed
            </th>
            <th scope="col" class="number">
              Attained
            </th>
            <th scope="col" class="number">
              Target
            </th>
            <th scope="col" class="meter-column" title="Of the requests of this window that may miss, how many are left">
              Error budget left
            </th>
            <th scope="col" title="How many times as fast as allowed the budget is spent, over the last hour">
              Burn rate, 1 h
            </th>
            <th scope="col" title="The same over the last six hours">
              6 h
            </th>
          </tr>
        </thead>
        <tbody>
          {policies.map((policy, i) => (
            <PolicyRow key={policy.policy} of={policy} series={i} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function PolicyRow({ of, series }: { of: PolicyHistory; series: number }) {
  const { policy, requests, missed, targetAttainment, errorBudget, burnRates } = of;
  return (
    <tr>
      <th scope="row">
        <span class={`swatch swatch-inline series-${series % 8}`} aria-hidden="true" />
        {policy}
      </th>
      <td class="number">{requests.toLocaleString('en')}</td>
      <td class="number">{missed.toLocaleString('en')}</td>
      <td class="number">{percent(1 - missed / requests)}</td>
      <td class="number">{targetAttainment === null ? <span class="quiet">none any more</span> : target(targetAttainment)}</td>
      <td class="used-cell">
        {errorBudget ? (
          <>
            <span class={`meter meter-${budgetTone(errorBudget.remaining)}`} aria-hidden="true">
              <span style={{ width: `${Math.max(0, errorBudget.remaining) * 100}%` }} />
            </span>
            <span class="meter-text">
              <strong>{leftText(errorBudget.remaining)}</strong>
              <span class="quiet">of {amount(errorBudget.allowed)} requests</span>
            </span>
          </>
        ) : (
          <span class="quiet">{targetAttainment === null ? '' : 'none may miss'}</span>
        )}
      </td>
      <td>
        <Burn rate={burnRates.lastHour} />
      </td>
      <td>
        <Burn rate={burnRates.lastSixHours} />
      </td>
    </tr>
  );
}

function Burn({ rate }: { rate: number | null }) {
  if (rate === null) return <span class="quiet">no requests</span>;
  return <Pill tone={burnTone(rate)}>{`${rate < 10 ? rate.toFixed(1) : Math.round(rate)} ×`}</Pill>;
}

const amount = (requests: number) => (requests < 10 ? Number(requests.toFixed(1)) : Math.round(requests)).toLocaleString('en');

/** Overspent budgets say by how much. */
function leftText(remaining: number): string {
  return remaining >= 0 ? percent(remaining) : `overspent ${(1 - remaining).toFixed(1)} ×`;
}
