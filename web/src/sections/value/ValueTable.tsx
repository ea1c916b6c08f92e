import type { DeploymentValueItem, ValueFiguresItem } from '../../../../api/schema/index.ts';
import { DownloadButton } from '../../parts/DownloadButton.tsx';
import { SimulatedBadge } from '../../parts/Pill.tsx';
import { dollars } from '../../view/cost.ts';
import { percent, target as targetText } from '../../view/format.ts';
import { attainedTone, breakEvenText, paidText, perHour } from '../../view/value.ts';

export interface ValueRow {
  /** null: what no request caused. */
  name: string | null;
  figures: ValueFiguresItem;
  target?: number | null;
  deployment?: DeploymentValueItem;
}

/** Requests, money and value of deployments, policies or tenants, a row each. */
export function ValueTable({ title, csv, rows }: { title: string; csv: string; rows: ValueRow[] }) {
  const isOfDeployments = rows.some((row) => row.deployment);
  return (
    <>
      <div class="row value-head">
        <h3>{title}</h3>
        <span class="push">
          <DownloadButton label="CSV" of={title} path={csv} />
        </span>
      </div>
      <div class="card scroll">
        <table aria-label={title}>
          <thead>
            <tr>
              <th scope="col">{title.replace(/ies$/, 'y').replace(/s$/, '')}</th>
              {HEADINGS.map(([heading, explained]) => (
                <th key={heading} scope="col" class="number" title={explained}>
                  {heading}
                </th>
              ))}
              {isOfDeployments && (
                <th
                  scope="col"
                  class="number"
                  title="At so many requests an hour, of such requests with such attainment, it pays for itself"
                >
                  Pays for itself
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <Row key={row.name} of={row} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const HEADINGS = [
  ['Requests', 'All that arrived'],
  ['Within SLO', 'Share of the requests that met every target'],
  ['Spent', 'Accelerators, and the share of fixed costs'],
  ['Per 1,000', 'Spent per thousand answered requests, and per million tokens, input and output together'],
  ['Earned', 'By what policies say that an answer is worth; below it the penalties, by what they say that a violation costs'],
  ['Net', 'Earned less penalties less spent'],
] as const;

/** Nothing where there is nothing to say. */
const money = (amount: number | null) => (amount === null ? '' : dollars(amount));

function Row({ of: { name, figures: f, target = null, deployment } }: { of: ValueRow }) {
  const tone = attainedTone(f, target);
  return (
    <tr>
      <th scope="row">
        {name ?? <span class="quiet">no request</span>}
        {deployment?.simulated && (
          <span class="under">
            <SimulatedBadge />
          </span>
        )}
      </th>
      <td class="number">
        {f.requests.toLocaleString('en')}
        {deployment?.requestsPerHour != null && <span class="quiet under">{perHour(deployment.requestsPerHour)}</span>}
      </td>
      <td class="number">
        {f.attainment !== null && <span class={tone ? `amount-${tone}` : undefined}>{percent(f.attainment)}</span>}
        {target !== null && <span class="quiet under">target {targetText(target)}</span>}
      </td>
      <td class="number" title={`accelerators ${dollars(f.acceleratorUsd)}, fixed costs ${dollars(f.fixedUsd)}`}>
        {dollars(f.spentUsd)}
        {deployment && deployment.unpriced.length > 0 && <span class="quiet under">no price: {deployment.unpriced.join(', ')}</span>}
      </td>
      <td class="number">
        {money(f.usdPerThousandRequests)}
        {f.usdPerMillionTokens !== null && <span class="quiet under">{dollars(f.usdPerMillionTokens)} per M</span>}
      </td>
      <td class="number">
        {money(f.earnedUsd)}
        {f.penaltyUsd !== null && <span class="quiet under">{dollars(-f.penaltyUsd)}</span>}
      </td>
      <td class="number">
        {f.netUsd !== null && <strong class={f.netUsd < 0 ? 'amount-bad' : 'amount-good'}>{dollars(f.netUsd)}</strong>}
      </td>
      {deployment && <BreakEven of={deployment} />}
    </tr>
  );
}

function BreakEven({ of }: { of: DeploymentValueItem }) {
  const { tone, text } = breakEvenText(of);
  return (
    <td class="number">
      <span class={`amount-${tone}`}>{text}</span>
      {paidText(of) && <span class="quiet under">{paidText(of)}</span>}
    </td>
  );
}
