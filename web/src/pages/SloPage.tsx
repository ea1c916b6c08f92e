import type { QueryDistribution } from '../../../api/schema/index.ts';
import { Section } from '../parts/Section.tsx';
import { DistributionCharts } from '../sections/slo/DistributionCharts.tsx';
import { HistoryCharts } from '../sections/slo/HistoryCharts.tsx';
import { PolicyTable } from '../sections/slo/PolicyTable.tsx';
import { SloFilters } from '../sections/slo/SloFilters.tsx';
import { useAddress } from '../state/address.ts';
import { queryDistribution, sloHistory } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { count } from '../view/format.ts';
import { questionOf } from '../view/slo.ts';

/** How far each policy is attained over time, beside what is asked of it. */
export function SloPage() {
  const question = questionOf(useAddress().query).api;
  const history = useResource(sloHistory.of(question));
  const distribution = useResource(queryDistribution.of(question));
  return (
    <>
      <Section
        id="slo"
        title="SLO attainment"
        of={{ value: history.value && [history.value], error: history.error }}
        empty=""
        head={<SloFilters />}
      >
        {([shown]) =>
          shown!.policies.length === 0 ? (
            <NoRequests />
          ) : (
            <div class="stack">
              <PolicyTable policies={shown!.policies} />
              <HistoryCharts history={shown!} />
            </div>
          )
        }
      </Section>
      <Section
        id="distribution"
        title="Distribution of queries"
        note={distribution.value && sampleText(distribution.value)}
        of={{ value: distribution.value && [distribution.value], error: distribution.error }}
        empty=""
      >
        {([shown]) => <DistributionCharts distribution={shown!} />}
      </Section>
    </>
  );
}

function NoRequests() {
  return (
    <p class="card">
      No requests in this window. Choose a longer one or other filters, or send some: the gateway takes OpenAI’s requests, and policies are
      declared with <code>uellm apply -f FILE</code>.
    </p>
  );
}

function sampleText({ sampled, arrivals }: QueryDistribution): string {
  const total = arrivals.reduce((sum, step) => sum + step.requests, 0);
  return sampled < total ? `lengths of the newest ${sampled.toLocaleString('en')} of ${count(total, 'request')}` : count(total, 'request');
}
