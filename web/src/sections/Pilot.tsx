import type { PilotReport, ProposalResource } from '../../../api/schema/index.ts';
import { post } from '../client/http.ts';
import { ActionButton } from '../parts/ActionButton.tsx';
import { Ago } from '../parts/Ago.tsx';
import { Pill } from '../parts/Pill.tsx';
import { Section } from '../parts/Section.tsx';
import { deployments, pilotReport, proposals } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { count, percent, usdPerHour } from '../view/format.ts';
import { outlookText } from '../view/outlook.ts';
import { proposalTone } from '../view/tones.ts';

/** Deployments that are not left to uellm alone: what that would gain, and what waits for an operator. */
export function Pilot() {
  const piloted = (useResource(deployments).value ?? []).filter(({ mode }) => mode !== 'auto');
  return (
    <>
      {piloted.map(({ name }) => (
        <Report key={name} name={name} />
      ))}
      <Section
        id="proposals"
        title="Proposals"
        note="newest first"
        of={useResource(proposals)}
        empty="Nothing was proposed: a rebalance proposes what it would do with deployments in advise or shadow mode."
      >
        {(items) => (
          <ul class="card lines">
            {items.map((proposal) => (
              <li key={proposal.id}>
                <Proposal proposal={proposal} />
              </li>
            ))}
          </ul>
        )}
      </Section>
    </>
  );
}

function Proposal({ proposal }: { proposal: ProposalResource }) {
  const { id, kind, state, summary, reasons, outlook, createdAt, expiresAt, decidedBy, outcome } = proposal;
  const decide = (decision: 'approve' | 'decline') => () => post(`/api/v1/proposals/${id}/${decision}`, {});
  return (
    <article aria-label={`Proposal ${id}, ${state}`}>
      <div class="card-head">
        <Pill tone={proposalTone(state)}>{state}</Pill>
        <strong>{summary}</strong>
        <span class="quiet push">
          <Ago time={createdAt} />
        </span>
      </div>
      {outlook && <p class="reason">{outlookText(outlook)}</p>}
      {reasons.map((reason) => (
        <p key={reason} class="quiet under">
          {reason}
        </p>
      ))}
      {(outcome || decidedBy) && <p class="reason">{[decidedBy, outcome].filter(Boolean).join(': ')}</p>}
      {state === 'declined' && kind === 'rebalance' && Date.parse(expiresAt) > Date.now() && (
        <p class="quiet under">the same is proposed again after {new Date(expiresAt).toLocaleString()} at the earliest</p>
      )}
      {state === 'open' && (
        <div class="row">
          <span class="quiet">until {new Date(expiresAt).toLocaleString()}</span>
          <ActionButton
            label="Approve"
            of={`proposal ${id}`}
            done="Approved: it is carried out if it still fits"
            action={decide('approve')}
            tone="primary"
          />
          <ActionButton label="Decline" of={`proposal ${id}`} done="Declined" action={decide('decline')} />
        </div>
      )}
    </article>
  );
}

function Report({ name }: { name: string }) {
  const { value, error } = useResource(pilotReport.of(name));
  return (
    <Section
      id={`pilot-${name}`}
      title={`Pilot of ${name}`}
      note={value ? `${value.mode} mode; ${count(value.observed, 'request')} observed in 24 h, ${value.counted} of them judged` : ''}
      of={{ value: value && [value], error }}
      empty=""
    >
      {([report]) => report && <Figures report={report} />}
    </Section>
  );
}

function Figures({ report: { deployment, policies, money, predictions, notes } }: { report: PilotReport }) {
  const share = (of: number | null) => (of === null ? '–' : percent(of));
  return (
    <div class="card scroll">
      <table aria-label={`Pilot of ${deployment}`}>
        <thead>
          <tr>
            <th scope="col">SLO policy</th>
            <th scope="col">Requests</th>
            <th scope="col">Observed</th>
            <th scope="col">Now, replayed</th>
            <th scope="col">Would be</th>
            <th scope="col">Target</th>
          </tr>
        </thead>
        <tbody>
          {policies.map((p) => (
            <tr key={p.policy}>
              <th scope="row">{p.policy}</th>
              <td>{p.suffices ? p.requests : `${p.requests}, too few`}</td>
              <td>{share(p.observed)}</td>
              <td>{share(p.now)}</td>
              <td>{share(p.wouldBe)}</td>
              <td>{share(p.targetAttainment)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="reason">
        {usdPerHour(money.now.usdPerHour)} now, {usdPerHour(money.wouldBe.usdPerHour)} as proposed; {predictions.withinP90} of{' '}
        {predictions.predicted} answers within their predicted p90
      </p>
      {notes.map((note) => (
        <p key={note} class="quiet under">
          {note}
        </p>
      ))}
    </div>
  );
}
