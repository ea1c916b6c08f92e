import { Choice } from '../../parts/Choice.tsx';
import { showInAddress, useAddress } from '../../state/address.ts';
import { deployments, sloPolicies, tenants } from '../../state/cluster.ts';
import { useResource } from '../../state/use-resource.ts';
import { questionOf, WINDOWS } from '../../view/slo.ts';

/** What the SLO page looks at; the address holds it. */
export function SloFilters() {
  const { query } = useAddress();
  const policies = namesOf(useResource(sloPolicies).value);
  return (
    <search class="filters" aria-label="What is shown">
      <Choice
        label="Window"
        value={String(questionOf(query).windowSeconds)}
        options={WINDOWS.map(({ seconds, text }) => ({ value: String(seconds), text }))}
        onChoose={(window) => showInAddress({ window })}
      />
      <Filter name="policy" label="Policy" names={[...policies, 'fallback']} />
      <Filter name="deployment" label="Deployment" names={namesOf(useResource(deployments).value)} />
      <Filter name="tenant" label="Tenant" names={namesOf(useResource(tenants).value)} />
    </search>
  );
}

const namesOf = (items: readonly { name: string }[] | null) => (items ?? []).map((item) => item.name);

/** What the address names is a choice even where nothing of that name is declared any more: its requests are there. */
function Filter({ name, label, names }: { name: string; label: string; names: string[] }) {
  const chosen = useAddress().query.get(name) ?? '';
  const choices = [...new Set([...names, ...(chosen ? [chosen] : [])])].sort();
  return (
    <Choice
      label={label}
      value={chosen}
      options={[{ value: '', text: 'All' }, ...choices.map((choice) => ({ value: choice, text: choice }))]}
      onChoose={(value) => showInAddress({ [name]: value || null })}
    />
  );
}
