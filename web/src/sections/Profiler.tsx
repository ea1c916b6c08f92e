import { useState } from 'preact/hooks';
import type { ProfilerSnapshotResource } from '../../../api/schema/index.ts';
import { Ago } from '../parts/Ago.tsx';
import { Choice } from '../parts/Choice.tsx';
import { Section } from '../parts/Section.tsx';
import { profilerCalibration, profilerSnapshots, profilerStatus } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { count, percent } from '../view/format.ts';
import { againstConstant, scoreHistory } from '../view/profiler.ts';
import { CalibrationChart } from './profiler/CalibrationChart.tsx';
import { LearningCurve } from './profiler/LearningCurve.tsx';
import { ScorePlot } from './ScorePlot.tsx';
import { SnapshotHistory } from './SnapshotHistory.tsx';

/** The API counts no further. */
const MOST_WAITING = 10_000;

/** The snapshot that predicts the lengths of answers, how it fares for each model, and those before it. */
export function Profiler() {
  const { value: status } = useResource(profilerStatus);
  const waiting = status?.waiting ?? 0;
  return (
    <Section
      id="profiler"
      title="Profiler"
      note={waiting > 0 && `${count(waiting, 'observation')}${waiting >= MOST_WAITING ? ' or more' : ''} to be learned from`}
      of={useResource(profilerSnapshots)}
      empty="No snapshot was published yet: the lengths of answers are predicted by published constants."
    >
      {(snapshots) => (
        <>
          <InForce snapshot={snapshots[0]!} waiting={waiting} />
          <Charts snapshots={snapshots} />
          <Scores snapshots={snapshots} />
          <SnapshotHistory snapshots={snapshots} />
        </>
      )}
    </Section>
  );
}

const AXES = [
  { value: 'observations', text: 'observations' },
  { value: 'time', text: 'time' },
] as const;

function Charts({ snapshots }: { snapshots: ProfilerSnapshotResource[] }) {
  const { value: calibration } = useResource(profilerCalibration);
  const models = Object.keys(snapshots[0]!.scores?.models ?? {});
  const [chosen, setChosen] = useState<string | null>(null);
  const [over, setOver] = useState<(typeof AXES)[number]['value']>('observations');
  const model = models.find((m) => m === chosen) ?? models[0];
  return (
    <>
      {model !== undefined && (
        <div class="filters">
          <Choice label="Learning curve of" value={model} options={models.map((m) => ({ value: m, text: m }))} onChoose={setChosen} />
          <Choice label="over" value={over} options={AXES} onChoose={(value) => setOver(value === 'time' ? 'time' : 'observations')} />
        </div>
      )}
      <div class="charts after-facts">
        {calibration && <CalibrationChart of={calibration} />}
        {model !== undefined && <LearningCurve snapshots={snapshots} model={model} over={over} />}
      </div>
    </>
  );
}

function InForce({
  snapshot: { version, createdAt, reason, trainedThroughId },
  waiting,
}: {
  snapshot: ProfilerSnapshotResource;
  waiting: number;
}) {
  return (
    <dl class="facts facts-first">
      <div>
        <dt>Champion, in force</dt>
        <dd>version {version}</dd>
      </div>
      <div>
        <dt>Published</dt>
        <dd>
          <Ago time={createdAt} />
        </dd>
      </div>
      <div>
        <dt>Why</dt>
        <dd>{reason || 'not recorded'}</dd>
      </div>
      <div>
        <dt>Trained through</dt>
        <dd>observation {trainedThroughId.toLocaleString('en')}</dd>
      </div>
      <div title="Both predict what comes next; the challenger is published unless it predicts worse">
        <dt>Challenger</dt>
        <dd>{waiting > 0 ? `${count(waiting, 'observation')} ahead` : 'not ahead yet'}</dd>
      </div>
    </dl>
  );
}

function Scores({ snapshots }: { snapshots: ProfilerSnapshotResource[] }) {
  const { scores } = snapshots[0]!;
  if (!scores) return <p class="quiet">Its scores were written by another release.</p>;
  const models = Object.entries(scores.models);
  if (models.length === 0) return <p class="quiet">No answer was scored yet.</p>;
  return (
    <div class="card scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col" class="number">
              Answers
            </th>
            <th scope="col" class="number" title="Mean absolute error of the predicted median, over about the last 2,000 answers">
              Error
            </th>
            <th scope="col" class="number" title="The same error where the median of all answers were predicted for each">
              Constant median
            </th>
            <th scope="col" class="number">
              Difference
            </th>
            <th scope="col" class="number" title="Share of answers no longer than their predicted p90: 90 % is right">
              Below p90
            </th>
            <th scope="col">Over versions</th>
          </tr>
        </thead>
        <tbody>
          {models.map(([model, score]) => (
            <tr key={model}>
              <th scope="row">{model}</th>
              <td class="number">{score.observations.toLocaleString('en')}</td>
              <td class="number">{tokens(score.maeTokens)}</td>
              <td class="number">{tokens(score.maeConstantMedianTokens)}</td>
              <td class="number">{againstConstant(score.maeTokens, score.maeConstantMedianTokens)}</td>
              <td class="number">{score.coverage90 === null ? '' : percent(score.coverage90)}</td>
              <td>
                <ScorePlot model={model} points={scoreHistory(snapshots, model)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const tokens = (n: number | null) => (n === null ? '' : `${n.toFixed(1)} tokens`);
