import type { ValueReport } from '../../../../api/schema/index.ts';
import { dollars } from '../../view/cost.ts';

/** What nobody used, and what each accelerator is counted at. */
export function IdleAndPrices({ of: { idle, prices } }: { of: ValueReport }) {
  return (
    <div class="columns">
      <div>
        <h3 class="value-head">Idle accelerators</h3>
        <div class="card scroll">
          <table aria-label="Idle accelerators">
            <thead>
              <tr>
                <th scope="col">Host</th>
                <th scope="col">Accelerator</th>
                <th scope="col" class="number" title="Accelerators times hours that no replica held them">
                  Hours
                </th>
                <th scope="col" class="number">
                  Spent
                </th>
              </tr>
            </thead>
            <tbody>
              {idle.map((i) => (
                <tr key={`${i.host} ${i.acceleratorKind}`}>
                  <th scope="row">{i.host}</th>
                  <td>{i.acceleratorKind}</td>
                  <td class="number">{i.acceleratorHours.toFixed(1)}</td>
                  <td class="number">{dollars(i.spentUsd)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
      <div>
        <h3 class="value-head">Prices</h3>
        <div class="card scroll">
          <table aria-label="Prices">
            <thead>
              <tr>
                <th scope="col">Accelerator</th>
                <th scope="col" class="number">
                  Per hour
                </th>
                <th scope="col">Source</th>
              </tr>
            </thead>
            <tbody>
              {prices.map((p) => (
                <tr key={`${p.acceleratorKind} ${p.source} ${p.usdPerHour}`}>
                  <th scope="row" title={p.hosts.join(', ')}>
                    {p.acceleratorKind}
                  </th>
                  <td class="number">{dollars(p.usdPerHour)}</td>
                  <td class="wrap">{p.source}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </div>
  );
}
