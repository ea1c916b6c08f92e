import type { ComponentChildren } from 'preact';
import type { ValueReport } from '../../../../api/schema/index.ts';
import { ApiError } from '../../client/http.ts';
import { Pill } from '../../parts/Pill.tsx';
import { Section } from '../../parts/Section.tsx';
import { useAddress } from '../../state/address.ts';
import { valueReport } from '../../state/cluster.ts';
import { createResource } from '../../state/resource.ts';
import { useResource } from '../../state/use-resource.ts';
import { dollars } from '../../view/cost.ts';
import { percent } from '../../view/format.ts';
import { periodIssuesOf, periodMistakes, reportQuery, verdict } from '../../view/value.ts';
import { IdleAndPrices } from './IdleAndPrices.tsx';
import { ValuePeriod } from './ValuePeriod.tsx';
import { ValueTable } from './ValueTable.tsx';

const MINUTE_MS = 60_000;
const NOTHING_ASKED = createResource(async (): Promise<ValueReport | null> => null);

/** What serving cost over a period beside what it was worth: by deployment, SLO policy and tenant. */
export function ValueReportSection() {
  const { query: address } = useAddress();
  // Within a minute, "until now" is the same question.
  const query = reportQuery(address, Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS);
  const mistakes = periodMistakes(address, Date.now());
  const isAsked = Object.keys(mistakes).length === 0;
  const { value, error } = useResource(isAsked ? valueReport.of(query) : NOTHING_ASKED);
  const refused = error instanceof ApiError ? periodIssuesOf(error.problem) : null;
  const isWrong = !isAsked || refused !== null;
  const csv = (by: string) => `/api/v1/reports/value${query === '' ? '?' : `${query}&`}format=csv&by=${by}`;
  return (
    <Section
      id="value"
      title="What it costs and what it is worth"
      note={!isWrong && value && `${new Date(value.from).toLocaleString()} to ${new Date(value.to).toLocaleString()}`}
      head={<ValuePeriod csv={csv('line')} issues={refused ?? mistakes} />}
      of={isWrong ? { value: [], error: null } : { value: value?.deployments ?? null, error }}
      empty={isWrong ? 'No report: the period is not valid.' : 'Nothing was served in this period.'}
    >
      {(deployments) => (
        <>
          <Verdict of={value!} />
          <ValueTable
            title="Deployments"
            csv={csv('deployment')}
            rows={deployments.map((d) => ({ name: d.deployment, figures: d, deployment: d }))}
          />
          <ValueTable
            title="SLO policies"
            csv={csv('policy')}
            rows={value!.policies.map((p) => ({ name: p.policy, figures: p, target: p.targetAttainment }))}
          />
          <ValueTable
            title="Tenants"
            csv={csv('tenant')}
            rows={busiestFirst(value!.tenants).map((t) => ({ name: t.tenant, figures: t }))}
          />
          <IdleAndPrices of={value!} />
        </>
      )}
    </Section>
  );
}

const busiestFirst = (tenants: ValueReport['tenants']) => [...tenants].sort((a, b) => b.requests - a.requests);

function Verdict({ of }: { of: ValueReport }) {
  const { tone, text } = verdict(of);
  const { served, idleUsd, spentUsd } = of.totals;
  return (
    <div class="card verdict">
      <p class="row">
        <Pill tone={tone}>{text}</Pill>
      </p>
      <dl class="facts">
        <Fact name="Earned">{served.earnedUsd === null ? 'no value declared' : dollars(served.earnedUsd)}</Fact>
        <Fact name="Penalties">{served.penaltyUsd === null ? '–' : dollars(served.penaltyUsd)}</Fact>
        <Fact name="Spent">
          {dollars(spentUsd)} <span class="quiet">{`of it ${dollars(idleUsd)} on what idled`}</span>
        </Fact>
        <Fact name="Requests">{served.requests.toLocaleString('en')}</Fact>
        <Fact name="Within SLO">{served.attainment === null ? '–' : percent(served.attainment)}</Fact>
        <Fact name="Tokens in, out">
          {compact(served.inputTokens)}, {compact(served.outputTokens)}
        </Fact>
      </dl>
      {[...of.refusals.map((r) => `${r.message}: ${r.nearest}`), ...of.notes].map((note) => (
        <p key={note} class="quiet">
          {note}
        </p>
      ))}
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const compact = (n: number) => n.toLocaleString('en', { notation: 'compact', maximumFractionDigits: 1 });
