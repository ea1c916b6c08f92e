import { Fragment } from 'preact';
import type {
  Cost as CostAnswer,
  DeploymentCostItem,
  DeploymentSloPricesItem,
  PolicyCostItem,
  SloPriceItem,
} from '../../../api/schema/index.ts';
import { SimulatedBadge } from '../parts/Pill.tsx';
import { Section } from '../parts/Section.tsx';
import { cost } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import {
  comparedTpotMs,
  dearest,
  dollars,
  missingOnFleet,
  ownPrice,
  priceAt,
  replicasText,
  utilisationTone,
  worthText,
} from '../view/cost.ts';
import { count, percent, target } from '../view/format.ts';

/** What serving costs now, by deployment and SLO policy, and what the SLO would cost at other targets. */
export function Cost() {
  const { value, error } = useResource(cost);
  return (
    <Section
      id="cost"
      title="Cost"
      note={value && <>over the requests of the last {count(Math.round(value.windowSeconds / 60), 'minute')}</>}
      of={{ value: value?.deployments ?? null, error }}
      empty="Nothing serves."
    >
      {(deployments) => (
        <>
          <Totals of={value!} />
          {value!.refusals.length > 0 && (
            <ul class="refusals">
              {value!.refusals.map((refusal) => (
                <li key={refusal.subject}>
                  <strong>No price</strong> {refusal.message}
                  <span class="nearest">{refusal.nearest}</span>
                </li>
              ))}
            </ul>
          )}
          <MoneyNow deployments={deployments} policies={value!.policies} />
          {value!.sloPrices.length > 0 && <SloPrices of={value!.sloPrices} />}
        </>
      )}
    </Section>
  );
}

function Totals({ of: { totals, idle } }: { of: CostAnswer }) {
  const money = ({ usdPerHour, pricedUsdPerHour }: CostAnswer['totals']['held']) =>
    usdPerHour === null ? `${dollars(pricedUsdPerHour)}/h and what has no price` : `${dollars(usdPerHour)}/h`;
  return (
    <dl class="facts facts-first">
      <div>
        <dt>Held by replicas</dt>
        <dd>
          {money(totals.held)} <span class="quiet">{count(totals.held.accelerators, 'accelerator')}</span>
        </dd>
      </div>
      <div>
        <dt>Idle</dt>
        <dd>
          {money(totals.idle)} <span class="quiet">{idle.map((i) => `${i.count} ${i.kind}`).join(', ')}</span>
        </dd>
      </div>
      {totals.usdPerThousandRequests !== null && (
        <div>
          <dt>Per 1,000 requests</dt>
          <dd>{dollars(totals.usdPerThousandRequests)}</dd>
        </div>
      )}
      {totals.usdPerMillionTokens !== null && (
        <div>
          <dt>Per million tokens</dt>
          <dd>{dollars(totals.usdPerMillionTokens)}</dd>
        </div>
      )}
    </dl>
  );
}

function MoneyNow({ deployments, policies }: { deployments: DeploymentCostItem[]; policies: PolicyCostItem[] }) {
  return (
    <div class="card scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Deployment, policy</th>
            <th scope="col">Accelerators</th>
            <th scope="col" class="number">
              Per hour
            </th>
            <th scope="col" class="number">
              Requests
            </th>
            <th scope="col" class="meter-column" title="Arrivals over what its ready replicas can serve within their targets">
              Used
            </th>
            <th scope="col" class="number" title="Per thousand answered requests">
              Per 1,000
            </th>
            <th scope="col" class="number" title="Input and output tokens together">
              Per M tokens
            </th>
            <th scope="col" class="number">
              Per M output
            </th>
          </tr>
        </thead>
        <tbody>
          {deployments.map((d) => (
            <Fragment key={d.deployment}>
              <DeploymentRow of={d} />
              {policies
                .filter((p) => p.deployment === d.deployment)
                .map((p) => (
                  <PolicyRow key={p.policy} of={p} />
                ))}
            </Fragment>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Nothing where there is nothing to divide by. */
const perUnit = (amount: number | null) => (amount === null ? '' : dollars(amount));

function DeploymentRow({ of: d }: { of: DeploymentCostItem }) {
  return (
    <tr>
      <th scope="row">
        {d.deployment} {d.simulated && <SimulatedBadge />}
      </th>
      <td>{d.accelerators.map((a) => `${a.count} × ${a.kind}`).join(', ')}</td>
      <td class="number">
        {d.usdPerHour === null ? (
          <span title={`no price: ${d.unpriced.join(', ')}`}>unknown</span>
        ) : (
          <strong>{dollars(d.usdPerHour)}</strong>
        )}
      </td>
      <td class="number">{d.requestsPerSecond.toFixed(1)}/s</td>
      <td class="used-cell">{d.utilisation !== null && <Used share={d.utilisation} />}</td>
      <td class="number">{perUnit(d.usdPerThousandRequests)}</td>
      <td class="number">{perUnit(d.usdPerMillionTokens)}</td>
      <td class="number">{perUnit(d.usdPerMillionOutputTokens)}</td>
    </tr>
  );
}

function Used({ share }: { share: number }) {
  return (
    <>
      <span class={`meter meter-${utilisationTone(share)}`} aria-hidden="true">
        <span style={{ width: `${Math.min(1, share) * 100}%` }} />
      </span>
      <span class="meter-text">{Math.round(share * 100)} %</span>
    </>
  );
}

function PolicyRow({ of: p }: { of: PolicyCostItem }) {
  const attained =
    p.attainment === null
      ? ''
      : `${percent(p.attainment)} attained${p.targetAttainment === null ? '' : `, target ${target(p.targetAttainment)}`}`;
  return (
    <tr class="part">
      <th scope="row">{p.policy}</th>
      <td class="quiet">{[attained, worthText(p)].filter(Boolean).join(' · ')}</td>
      <td class="number">{perUnit(p.usdPerHour)}</td>
      <td class="number">{p.requests.toLocaleString('en')}</td>
      <td class="quiet" title="Share of its deployment's time on engines, and so of its money">
        {p.share !== null && `${percent(p.share)} of its time`}
      </td>
      <td class="number">{perUnit(p.usdPerThousandRequests)}</td>
      <td />
      <td />
    </tr>
  );
}

function SloPrices({ of: prices }: { of: DeploymentSloPricesItem[] }) {
  const levels = comparedTpotMs(prices);
  return (
    <>
      <h3 class="sub">What the SLO costs</h3>
      <p class="quiet">
        The least money that serves the demand planned for, on as many accelerators of the fleet’s kinds as it takes; the other targets as
        they are.
      </p>
      <div class="card scroll">
        <table class="prices">
          <thead>
            <tr>
              <th scope="col">Deployment</th>
              <th scope="col" class="number">
                Demand
              </th>
              <th scope="col">Its own SLO</th>
              {levels.map((tpotMs) => (
                <th key={tpotMs} scope="col">
                  TPOT {tpotMs} ms
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {prices.map((p) => (
              <tr key={p.deployment}>
                <th scope="row">{p.deployment}</th>
                <td class="number">{p.demand.requestsPerSecond.toFixed(1)}/s</td>
                <Price of={ownPrice(p)} most={dearest(p)} own />
                {levels.map((tpotMs) => (
                  <Price key={tpotMs} of={priceAt(p, tpotMs)} most={dearest(p)} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Price({ of: price, most, own = false }: { of: SloPriceItem | undefined; most: number; own?: boolean }) {
  if (!price) return <td />;
  const missing = missingOnFleet(price);
  const tpotMs = price.targets?.tpotMs;
  return (
    <td class="price" title={price.refusal?.message ?? replicasText(price)}>
      {price.refusal ? (
        <span class="quiet under">{price.refusal.nearest ?? price.refusal.message}</span>
      ) : (
        <>
          <strong>{dollars(price.usdPerHour)}/h</strong>{' '}
          {price.usdPerThousandRequests !== null && <span class="quiet">{dollars(price.usdPerThousandRequests)} per 1,000</span>}
          <span class={`meter meter-${missing === null ? 'good' : 'warn'}`} aria-hidden="true">
            <span style={{ width: `${most > 0 ? (price.usdPerHour! / most) * 100 : 0}%` }} />
          </span>
          {missing !== null && <span class="quiet under">not on this fleet: {missing}</span>}
        </>
      )}
      {own && <span class="quiet under">{tpotMs === undefined ? 'no TPOT target' : `TPOT ${tpotMs} ms`}</span>}
    </td>
  );
}
