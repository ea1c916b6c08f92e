/** What is asked for: arrivals over time, the lengths of prompts and answers, and predictions beside what came of them. */
import { and, desc, isNotNull, type SQL, sql } from 'drizzle-orm';
import type { Executor } from '../client.ts';
import { observations } from '../schema/index.ts';
import { type ObservationFilter, observedBetween, stepMs } from './slo-history.ts';

/** Lengths are counted over the newest so many requests: more tell nothing else, and take longer. */
export const SAMPLED_REQUESTS = 20_000;

/** Lower ends of the buckets of lengths, in tokens: two to an octave. */
export const LENGTH_EDGES: readonly number[] = Array.from({ length: 28 }, (_, i) => Math.round(2 ** (3 + i / 2)));

export interface LengthCount {
  /** Place in LENGTH_EDGES; −1 for what is shorter than the first. */
  bucket: number;
  requests: number;
}

export interface LengthSummary {
  requests: number;
  p50: number;
  p90: number;
  p99: number;
}

export interface PredictionBand {
  /** Of the predicted medians, as above. */
  bucket: number;
  requests: number;
  meanPredictedP50: number;
  meanPredictedP90: number;
  /** Quantiles of the answers that there were. */
  actualP10: number;
  actualP50: number;
  actualP90: number;
  /** Answers no longer than their own predicted p90. */
  belowP90: number;
}

export interface QueryDistribution {
  arrivals: { startMs: number; requests: number }[];
  /** Requests that the lengths are of. */
  sampled: number;
  input: { summary: LengthSummary | null; counts: LengthCount[] };
  output: { summary: LengthSummary | null; counts: LengthCount[] };
  bands: PredictionBand[];
}

interface Question {
  /** The start of a step. */
  since: Date;
  until: Date;
  stepSeconds: number;
  filter: ObservationFilter;
}

export async function queryDistribution(db: Executor, question: Question): Promise<QueryDistribution> {
  const [arrivals, lengths, bands] = [
    await arrivalSteps(db, question),
    await sampledLengths(db, question),
    await predictionBands(db, question),
  ];
  return { arrivals, ...lengths, bands };
}

/** Each step by itself: to count is half the work of sorting what is counted into steps. */
async function arrivalSteps(db: Executor, { since, until, stepSeconds, filter }: Question): Promise<QueryDistribution['arrivals']> {
  const width = sql.raw(`interval '${stepSeconds} seconds'`);
  const ofStep = sql`${observations.acceptedAt} >= step and ${observations.acceptedAt} < step + ${width}`;
  const { rows } = await db.execute<QueryDistribution['arrivals'][number]>(sql`
    select ${stepMs(sql`step`)} as "startMs", requests
    from generate_series(${since.toISOString()}::timestamptz, ${until.toISOString()}::timestamptz, ${width}) step
    cross join lateral (
      select count(*)::int as requests from ${observations} where ${and(observedBetween(since, until, filter), ofStep)}
    ) counted
    where requests > 0 order by step`);
  return rows;
}

const bucketOf = (tokens: SQL) => sql`width_bucket(${tokens}, array[${sql.raw(LENGTH_EDGES.join(', '))}]::float8[]) - 1`;

/** The newest requests, as `sample`; answers count where they came to their end. */
const sampleOf = ({ since, until, filter }: Question) => sql`sample as materialized (
  select ${observations.inputTokens} as input, case when ${observations.outcome} = 'ok' then ${observations.outputTokens} end as output
  from ${observations} where ${observedBetween(since, until, filter)} order by ${desc(observations.acceptedAt)} limit ${SAMPLED_REQUESTS})`;

type Lengths = 'input' | 'output';

async function sampledLengths(db: Executor, question: Question): Promise<Omit<QueryDistribution, 'arrivals' | 'bands'>> {
  const { rows } = await db.execute<{ of: Lengths; bucket: number | null; requests: number; p: number[] | null }>(sql`
    with ${sampleOf(question)}, lengths as (
      select 'input' as of, input as tokens from sample union all select 'output', output from sample where output is not null
    )
    select of, ${bucketOf(sql`tokens`)} as bucket, count(*)::int as requests,
      case when grouping(${bucketOf(sql`tokens`)}) = 1 then percentile_cont(array[0.5, 0.9, 0.99]) within group (order by tokens) end as p
    from lengths group by grouping sets ((of), (of, ${bucketOf(sql`tokens`)})) order by of, bucket`);
  const lengthsOf = (wanted: Lengths) => {
    const own = rows.filter((row) => row.of === wanted);
    const total = own.find((row) => row.p !== null);
    const [p50, p90, p99] = total?.p ?? [];
    return {
      summary: total ? { requests: total.requests, p50: p50!, p90: p90!, p99: p99! } : null,
      counts: own.flatMap(({ bucket, requests, p }) => (p === null ? [{ bucket: bucket!, requests }] : [])),
    };
  };
  const input = lengthsOf('input');
  return { sampled: input.summary?.requests ?? 0, input, output: lengthsOf('output') };
}

async function predictionBands(db: Executor, { since, until, filter }: Question): Promise<PredictionBand[]> {
  const o = observations;
  const answered = and(
    observedBetween(since, until, filter),
    sql`${o.outcome} = 'ok'`,
    isNotNull(o.outputTokens),
    isNotNull(o.predictedOutputP50),
    isNotNull(o.predictedOutputP90),
  );
  const { rows } = await db.execute<Record<keyof PredictionBand, number>>(sql`
    with sample as materialized (
      select ${o.predictedOutputP50} as p50, ${o.predictedOutputP90} as p90, ${o.outputTokens} as actual
      from ${o} where ${answered} order by ${desc(o.acceptedAt)} limit ${SAMPLED_REQUESTS}
    )
    select ${bucketOf(sql`p50`)} as bucket, count(*)::int as requests, avg(p50)::float8 as "meanPredictedP50",
      avg(p90)::float8 as "meanPredictedP90", percentile_cont(0.1) within group (order by actual) as "actualP10",
      percentile_cont(0.5) within group (order by actual) as "actualP50",
      percentile_cont(0.9) within group (order by actual) as "actualP90", (count(*) filter (where actual <= p90))::int as "belowP90"
    from sample group by 1 order by 1`);
  return rows;
}
