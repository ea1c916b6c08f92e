import { Choice } from '../../parts/Choice.tsx';
import { DownloadButton } from '../../parts/DownloadButton.tsx';
import { FieldIssue } from '../../parts/FieldIssue.tsx';
import { showInAddress, useAddress } from '../../state/address.ts';
import { OTHER_PERIOD, PERIODS, type PeriodIssues, periodOf } from '../../view/value.ts';

/** Which time the report is of; and the report as a file. */
export function ValuePeriod({ csv, issues }: { csv: string; issues: PeriodIssues }) {
  const { query } = useAddress();
  const period = periodOf(query);
  const choose = (value: string) =>
    showInAddress(value === OTHER_PERIOD ? { period: null, from: localDay(), to: '' } : { period: value, from: null, to: null });
  return (
    <div class="filters">
      <Choice label="Period" value={period} options={[...PERIODS, { value: OTHER_PERIOD, text: 'From – to' }]} onChoose={choose} />
      {period === OTHER_PERIOD &&
        (['from', 'to'] as const).map((name) => (
          <div key={name} class="with-issue">
            <label>
              {name === 'from' ? 'From' : 'To (now where empty)'}
              <input
                class="field"
                type="datetime-local"
                value={query.get(name) ?? ''}
                aria-invalid={issues[name] !== undefined}
                aria-describedby={issues[name] && `period-${name}-issue`}
                onChange={(event) => showInAddress({ [name]: event.currentTarget.value })}
              />
            </label>
            <FieldIssue id={`period-${name}-issue`} of={issues[name]} />
          </div>
        ))}
      <DownloadButton label="Download CSV" of="Report by deployment, policy and tenant" path={csv} />
    </div>
  );
}

/** This morning, as a field of local time has it. */
function localDay(): string {
  const now = new Date();
  return `${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, '0')}-${String(now.getDate()).padStart(2, '0')}T00:00`;
}
