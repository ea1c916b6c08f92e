import type { Fared, WhatIf, WhatIfMoney } from '../../../../api/schema/index.ts';
import { dollars } from '../../view/cost.ts';
import { count, percent, target } from '../../view/format.ts';
import { change, pointsText } from '../../view/what-if.ts';

/** Attainment and money of the same requests, as things are and as they would be. */
export function WhatIfAnswer({ of }: { of: WhatIf }) {
  if (of.replayed === 0) return <Notes of={of.notes} />;
  const { before, after } = of.totals;
  return (
    <section aria-label="Answer">
      <p class="value-head quiet">
        {count(of.counted, 'request')} replayed of {of.observed.toLocaleString('en')} observed, scheduled by {of.scheduler}.
        {of.changes.length === 0 && ' Nothing was changed.'}
      </p>
      <ul class="after-facts">
        {of.changes.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      <div class="card">
        <dl class="facts">
          <Money name="Per hour" before={before.usdPerHour} after={after.usdPerHour} />
          <Money name="Per 1,000 requests" before={before.usdPerThousandRequests} after={after.usdPerThousandRequests} />
          <div>
            <dt>Replicas</dt>
            <dd>
              {before.replicas} → {after.replicas}
            </dd>
          </div>
        </dl>
      </div>
      <h3 class="value-head">SLO policies</h3>
      <SideBySide
        label="SLO policies"
        rows={of.policies.map((p) => ({
          name: p.policy,
          observed: p.observed,
          before: p.before,
          after: p.after,
          target: (p.after ?? p.before)?.targetAttainment ?? null,
          money: [p.before?.worthUsdPerHour ?? null, p.after?.worthUsdPerHour ?? null],
        }))}
        money="Worth an hour"
      />
      <h3 class="value-head">Deployments</h3>
      <SideBySide
        label="Deployments"
        rows={of.deployments.map((d) => ({
          name: d.deployment,
          observed: d.observed,
          before: d.before,
          after: d.after,
          target: null,
          money: [d.before.usdPerHour, d.after.usdPerHour],
        }))}
        money="Costs an hour"
      />
      <Notes of={of.notes} />
    </section>
  );
}

function Money({ name, before, after }: { name: string; before: WhatIfMoney['usdPerHour']; after: WhatIfMoney['usdPerHour'] }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {dollars(before)} → <strong>{dollars(after)}</strong>
      </dd>
    </div>
  );
}

interface SideRow {
  name: string;
  observed: Fared | null;
  before: Fared | null;
  after: Fared | null;
  target: number | null;
  money: [before: number | null, after: number | null];
}

function SideBySide({ label, rows, money }: { label: string; rows: SideRow[]; money: string }) {
  return (
    <div class="card scroll">
      <table aria-label={label}>
        <thead>
          <tr>
            <th scope="col">{label === 'Deployments' ? 'Deployment' : 'Policy'}</th>
            <th scope="col" class="number" title="Share within the SLO, as measured: how far before is from it is how far the model is off">
              Observed
            </th>
            <th scope="col" class="number">
              Before
            </th>
            <th scope="col" class="number">
              After
            </th>
            <th scope="col" class="number">
              Change
            </th>
            <th scope="col" class="number">
              {money}
            </th>
            <th scope="col" class="number">
              TTFT p90
            </th>
            <th scope="col" class="number">
              TPOT p90
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.name} of={row} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ of: { name, observed, before, after, target: wanted, money } }: { of: SideRow }) {
  const difference = change(before?.attainment, after?.attainment);
  const tone = difference === null || Math.abs(difference) < 0.0005 ? 'quiet' : difference > 0 ? 'good' : 'bad';
  return (
    <tr>
      <th scope="row">
        {name}
        {wanted !== null && <span class="quiet under">target {target(wanted)}</span>}
      </th>
      <td class="number">{share(observed)}</td>
      <td class="number">{share(before)}</td>
      <td class="number">
        <strong>{share(after)}</strong>
      </td>
      <td class={`number amount-${tone}`}>{pointsText(difference)}</td>
      <td class="number">{money.some((m) => m !== null) && `${dollars(money[0])} → ${dollars(money[1])}`}</td>
      <td class="number">
        {milliseconds(before?.ttftMs?.p90)} → {milliseconds(after?.ttftMs?.p90)}
      </td>
      <td class="number">
        {milliseconds(before?.tpotMs?.p90)} → {milliseconds(after?.tpotMs?.p90)}
      </td>
    </tr>
  );
}

const share = (fared: Fared | null) => (fared?.attainment == null ? '–' : percent(fared.attainment));
function milliseconds(ms: number | undefined): string {
  if (ms === undefined) return '–';
  return ms < 10_000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function Notes({ of }: { of: string[] }) {
  return (
    <>
      {of.map((note) => (
        <p key={note} class="quiet">
          {note}
        </p>
      ))}
    </>
  );
}
