/** The API as one Hono app: guards first, then routes, then the pages. `server.ts` binds it to a port; tests call it as it is. */
import { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import { secureHeaders } from 'hono/secure-headers';
import { type AccessOptions, authenticate, guardLoopback } from './access.ts';
import { type CodecEndpoint, codecRoutes } from './codec.ts';
import type { ApiDependencies, ApiEnv } from './context.ts';
import { dashboardRoutes } from './dashboard.ts';
import type { OpenApiDocument } from './docs/page.ts';
import { docsRoutes } from './docs/routes.ts';
import { healthRoutes } from './health.ts';
import { answerOnce } from './idempotency.ts';
import { allowedMethods } from './methods.ts';
import { metricsRoutes } from './metrics.ts';
import { problemResponse } from './problem.ts';
import { limitBody, readJsonBody } from './request-body.ts';
import { eventRoutes } from './routes/cluster/events.ts';
import { infoRoutes } from './routes/cluster/info.ts';
import { rebalanceRoutes } from './routes/cluster/rebalances.ts';
import { scheduleRoutes } from './routes/cluster/schedules.ts';
import { costRoutes } from './routes/cost/cost.ts';
import { deploymentRoutes } from './routes/deployments/deployments.ts';
import { startRolloutRoutes } from './routes/deployments/start-rollout.ts';
import { diagnosisRoutes } from './routes/diagnosis/diagnosis.ts';
import { drainRoutes } from './routes/hosts/drain.ts';
import { hostRoutes } from './routes/hosts/hosts.ts';
import { keyRoutes } from './routes/keys/keys.ts';
import { hostLogRoutes, replicaLogRoutes } from './routes/logs/logs.ts';
import { modelRoutes } from './routes/models/models.ts';
import { pilotRoutes } from './routes/pilot/pilot.ts';
import { planRoutes } from './routes/plans/plans.ts';
import { profilerRoutes } from './routes/profiler/profiler.ts';
import { proposalActionRoutes } from './routes/proposals/decide.ts';
import { proposalRoutes } from './routes/proposals/proposals.ts';
import { auditRoutes } from './routes/records/audit.ts';
import { correctionRoutes } from './routes/records/corrections.ts';
import { deleteObservationsRoutes } from './routes/records/delete-observations.ts';
import { observationRoutes, sloAttainmentRoutes } from './routes/records/observations.ts';
import { queryDistributionRoutes, sloHistoryRoutes } from './routes/records/slo-history.ts';
import { replicaRoutes } from './routes/replicas/replicas.ts';
import { valueReportRoutes } from './routes/reports/value.ts';
import { rolloutActionRoutes } from './routes/rollouts/act.ts';
import { rolloutRoutes } from './routes/rollouts/rollouts.ts';
import { checkAccessDeclared } from './routes/route.ts';
import { sloPolicyRoutes } from './routes/slo-policies/slo-policies.ts';
import { tenantRoutes } from './routes/tenants/tenants.ts';
import { boundedReplays } from './routes/what-if/replays.ts';
import { whatIfRoutes } from './routes/what-if/what-if.ts';

export interface AppOptions extends AccessOptions {
  webRoot: string | null;
  codec?: CodecEndpoint | null;
}

export function createApp(dependencies: ApiDependencies, { webRoot, codec = null, ...access }: AppOptions): OpenAPIHono<ApiEnv> {
  const app = new OpenAPIHono<ApiEnv>();
  app.onError((error, c) => problemResponse(c, error, dependencies.logger));
  app.notFound((c) => {
    const allowed = allowedMethods(app.routes, c.req.path);
    const found = allowed.length > 0 && !allowed.includes(c.req.method);
    const error = found
      ? new HTTPException(405, {
          message: `${c.req.method} is not for this address, only ${allowed.join(', ')}`,
          res: new Response(null, { headers: { allow: allowed.join(', ') } }),
        })
      : new HTTPException(404, { message: `nothing is at ${c.req.path}` });
    return problemResponse(c, error, dependencies.logger);
  });

  app.use(
    secureHeaders({
      contentSecurityPolicy: CONTENT_SECURITY_POLICY,
      strictTransportSecurity: false,
      crossOriginResourcePolicy: 'same-origin',
    }),
  );
  const known = authenticate(access, dependencies.database.db);
  if (codec) app.route('/codec', codecRoutes(codec, known));
  app.use(guardLoopback(access.open));
  app.use('/api/*', known, limitBody, readJsonBody, answerOnce(dependencies.database.db));

  const v1 = '/api/v1';
  const replays = boundedReplays();
  app.route(`${v1}/hosts`, hostRoutes(dependencies));
  app.route(`${v1}/hosts`, drainRoutes(dependencies));
  app.route(`${v1}/hosts`, hostLogRoutes(dependencies));
  app.route(`${v1}/models`, modelRoutes(dependencies));
  app.route(`${v1}/slo-policies`, sloPolicyRoutes(dependencies));
  app.route(`${v1}/tenants`, tenantRoutes(dependencies));
  app.route(`${v1}/slo-attainment`, sloAttainmentRoutes(dependencies));
  app.route(`${v1}/slo-attainment`, sloHistoryRoutes(dependencies));
  app.route(`${v1}/deployments`, deploymentRoutes(dependencies));
  app.route(`${v1}/deployments`, startRolloutRoutes(dependencies));
  app.route(`${v1}/rollouts`, rolloutRoutes(dependencies));
  app.route(`${v1}/rollouts`, rolloutActionRoutes(dependencies));
  app.route(`${v1}/replicas`, replicaRoutes(dependencies));
  app.route(`${v1}/replicas`, replicaLogRoutes(dependencies));
  app.route(`${v1}/plans`, planRoutes(dependencies));
  app.route(`${v1}/rebalances`, rebalanceRoutes(dependencies));
  app.route(`${v1}/schedules`, scheduleRoutes(dependencies));
  app.route(`${v1}/observations`, queryDistributionRoutes(dependencies));
  app.route(`${v1}/observations`, observationRoutes(dependencies));
  app.route(`${v1}/observations`, deleteObservationsRoutes(dependencies));
  app.route(`${v1}/profiler`, profilerRoutes(dependencies));
  app.route(`${v1}/cost`, costRoutes(dependencies));
  app.route(`${v1}/reports`, valueReportRoutes(dependencies));
  app.route(`${v1}/diagnosis`, diagnosisRoutes(dependencies));
  app.route(`${v1}/what-if`, whatIfRoutes(dependencies, replays));
  app.route(`${v1}/deployments`, pilotRoutes(dependencies, replays));
  app.route(`${v1}/proposals`, proposalRoutes(dependencies));
  app.route(`${v1}/proposals`, proposalActionRoutes(dependencies));
  app.route(`${v1}/corrections`, correctionRoutes(dependencies));
  app.route(`${v1}/audit`, auditRoutes(dependencies));
  app.route(`${v1}/keys`, keyRoutes(dependencies));
  app.route(`${v1}/events`, eventRoutes(dependencies));
  app.route(`${v1}/info`, infoRoutes(dependencies));
  app.route('/', healthRoutes(dependencies));
  app.route('/', metricsRoutes(dependencies));
  app.route(
    '/',
    docsRoutes(() => openApiDocument(app, dependencies.info.version)),
  );
  app.route('/', dashboardRoutes(webRoot));
  checkAccessDeclared(app);
  return app;
}

/** Styles may be inline, as chart libraries write them; scripts and everything else come from here only. */
const CONTENT_SECURITY_POLICY = {
  defaultSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  objectSrc: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
};

function openApiDocument(app: OpenAPIHono<ApiEnv>, version: string): OpenApiDocument {
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description:
      'An API key, or a token of the OIDC issuer. `x-uellm-access` of each operation says which role it needs, and whether keys of tenants will do.',
  });
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'uellm admin API',
      version,
      description: 'Declares hosts, models, SLO policies and deployments; rolls out, drains and rebalances; reads what happened.',
    },
    // Where the API is open, this machine needs none.
    security: [{ apiKey: [] }, {}],
  });
  return document as OpenApiDocument;
}
