import type { PlanDiff as Diff, PlanResource } from '../../../../api/schema/index.ts';
import { Ago } from '../../parts/Ago.tsx';
import { Choice } from '../../parts/Choice.tsx';
import { Pill } from '../../parts/Pill.tsx';
import { Section } from '../../parts/Section.tsx';
import { showInAddress, useAddress } from '../../state/address.ts';
import { planDiff, plans } from '../../state/cluster.ts';
import { useResource } from '../../state/use-resource.ts';
import { count } from '../../view/format.ts';
import { outlookText } from '../../view/outlook.ts';
import { CHANGE_TONES, costText, type PlacementChange, planChoice, shapeText } from '../../view/plan-diff.ts';
import { planTone } from '../../view/tones.ts';

/** How placement differs between two plans; the address names them. */
export function PlanDiff() {
  const { query } = useAddress();
  const [from, to] = [query.get('from') ?? '', query.get('to') ?? ''];
  const known = useResource(plans).value ?? [];
  return (
    <>
      <section class="section" id="compare" aria-labelledby="compare-title">
        <header class="section-head">
          <h2 id="compare-title">Compare two plans</h2>
          <p class="note">what stood where after one, and after the other</p>
        </header>
        <search class="filters" aria-label="Plans to compare">
          <PlanChoice label="One plan" value={from} known={known} onChoose={(id) => showInAddress({ from: id || null })} />
          <PlanChoice label="Another plan" value={to} known={known} onChoose={(id) => showInAddress({ to: id || null })} />
        </search>
        {!(from && to) && (
          <p class="quiet">
            Choose two, or follow “What changed” beside a plan below: it compares it with the one before. The address can be passed on.
          </p>
        )}
      </section>
      {from && to && <Compared question={`?${new URLSearchParams({ from, to })}`} />}
    </>
  );
}

interface PlanChoiceProps {
  label: string;
  value: string;
  known: PlanResource[];
  onChoose(id: string): void;
}

function PlanChoice({ label, value, known, onChoose }: PlanChoiceProps) {
  const listed = known.map((plan) => ({ value: plan.id, text: planChoice(plan) }));
  // A link may name a plan from before those that are listed.
  const older = value && !known.some((plan) => plan.id === value) ? [{ value, text: value }] : [];
  return <Choice label={label} value={value} options={[{ value: '', text: 'Choose a plan' }, ...older, ...listed]} onChoose={onChoose} />;
}

function Compared({ question }: { question: string }) {
  const { value, error } = useResource(planDiff.of(question));
  return (
    <Section
      id="diff"
      title="What changed"
      note={value && `${count(value.changes.length, 'replica')}, ${count(value.plansBetween, 'plan')} in between`}
      of={{ value: value && [value], error }}
      empty=""
    >
      {([diff]) => <Difference of={diff!} />}
    </Section>
  );
}

function Difference({ of: { from, to, changes, costUsdPerHour, deployments } }: { of: Diff }) {
  return (
    <div class="stack">
      <div class="charts">
        <ComparedPlan name="Older" of={from} />
        <ComparedPlan name="Newer" of={to} />
      </div>
      <div class="card">
        <dl class="facts facts-first">
          <div>
            <dt>Money, at present prices</dt>
            <dd>{costText(costUsdPerHour)}</dd>
          </div>
        </dl>
        {deployments.length > 0 && (
          <ul class="reasons">
            {deployments.map((outlook) => (
              <li key={outlook.deployment}>{outlookText(outlook)}</li>
            ))}
          </ul>
        )}
      </div>
      {changes.length === 0 ? (
        <p class="card">Every replica stands where it stood.</p>
      ) : (
        <div class="card scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Change</th>
                <th scope="col">Deployment</th>
                <th scope="col">Before</th>
                <th scope="col">After</th>
                <th scope="col">Why</th>
              </tr>
            </thead>
            <tbody>
              {changes.map((change) => (
                <ChangeRow key={`${change.before?.replicaId} ${change.after?.replicaId}`} of={change} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}

function ComparedPlan({ name, of: { id, purpose, subject, state, report, createdAt } }: { name: string; of: Diff['from'] }) {
  return (
    <article class="card" aria-label={`${name} plan`}>
      <div class="card-head">
        <h3>{name}</h3>
        <Pill tone={planTone(state)}>{state}</Pill>
        <span class="quiet push">
          <Ago time={createdAt} />
        </span>
      </div>
      <p class="reason">{report.summary}</p>
      <p class="quiet">
        {purpose} of {subject} · plan <code>{id}</code>
      </p>
      {report.reasons.length > 0 && (
        <details class="after">
          <summary>Why</summary>
          <ul class="reasons">
            {report.reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </details>
      )}
    </article>
  );
}

function ChangeRow({ of: { change, deployment, before, after, reasons } }: { of: PlacementChange }) {
  const place = (placed: PlacementChange['before']) =>
    placed && (
      <>
        {placed.host} [{placed.accelerators.join(' ')}] <span class="under">{shapeText(placed)}</span>
        <code class="quiet under">{placed.replicaId}</code>
      </>
    );
  return (
    <tr>
      <th scope="row">
        <Pill tone={CHANGE_TONES[change]}>{change}</Pill>
      </th>
      <td>{deployment}</td>
      <td>{place(before)}</td>
      <td>{place(after)}</td>
      <td class="wrap">
        {reasons.length > 0 ? reasons.join('; ') : <span class="quiet">no plan says: it ended by itself, or its rollout did</span>}
      </td>
    </tr>
  );
}
