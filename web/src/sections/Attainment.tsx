import type { SloAttainmentItem } from '../../../api/schema/index.ts';
import { Section } from '../parts/Section.tsx';
import { ATTAINMENT_WINDOW_SECONDS, attainment } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { percent, target } from '../view/format.ts';
import { attainmentTone } from '../view/tones.ts';

/** Which share of the requests met every target of their policy, against what the policy asks for. */
export function Attainment() {
  const items = useResource(attainment);
  return (
    <Section
      id="slo"
      title="SLO attainment"
      note={
        <>
          requests of the last {ATTAINMENT_WINDOW_SECONDS / 60} minutes · <a href="/slo">over time</a>
        </>
      }
      of={items}
      empty="No requests in this time."
    >
      {(rows) => (
        <div class="card scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Policy</th>
                <th scope="col" class="number">
                  Requests
                </th>
                <th scope="col" class="meter-column">
                  Attained
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <AttainmentRow key={`${row.policy} ${row.class} ${row.deployment}`} row={row} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}

function AttainmentRow({ row }: { row: SloAttainmentItem }) {
  const tone = attainmentTone(row.attained, row.targetAttainment, row.requests);
  return (
    <tr>
      <th scope="row">
        {row.policy}
        <span class="quiet under">
          {row.class} · {row.deployment}
        </span>
      </th>
      <td class="number">{row.requests.toLocaleString('en')}</td>
      <td class="meter-cell">
        <span class={`meter meter-${tone}`} aria-hidden="true">
          <span style={{ width: `${row.attained * 100}%` }} />
          {row.targetAttainment !== null && <i style={{ left: `${row.targetAttainment * 100}%` }} />}
        </span>
        <span class="meter-text">
          <strong>{percent(row.attained)}</strong>{' '}
          <span class="quiet">{row.targetAttainment === null ? 'no target any more' : `target ${target(row.targetAttainment)}`}</span>
        </span>
      </td>
    </tr>
  );
}
