import { describe, expect, it } from 'vitest';
import { SCHEDULER_POLICIES } from '../core/scheduler/registry.ts';
import { variablesOf } from './environment/for-children.ts';
import { onThisMachine, readEnvironment } from './environment.ts';

describe('the environment', () => {
  it('has defaults for everything that one machine needs', () => {
    const environment = readEnvironment({});
    expect(environment).toMatchObject({ bind: '127.0.0.1', apiKey: undefined, apiUrl: 'http://127.0.0.1:8080' });
    expect(environment.ports).toEqual({ api: 8080, gateway: 8000, profiler: 8090, temporal: 7233, temporalUi: 8233 });
  });

  it('takes an empty variable for an absent one', () => {
    expect(readEnvironment({ UELLM_API_KEY: '', UELLM_API_PORT: '' }).apiKey).toBeUndefined();
  });

  it('finds what is bound to one address at that address, and what is bound to all on loopback', () => {
    const bound = (UELLM_BIND: string) => readEnvironment({ UELLM_BIND, UELLM_API_KEY: 'k' }).profilerUrl;
    expect([bound('10.0.0.5'), bound('0.0.0.0'), bound('::1')]).toEqual([
      'http://10.0.0.5:8090',
      'http://127.0.0.1:8090',
      'http://[::1]:8090',
    ]);
  });

  it('keeps an installation of one machine to itself, even where variables point elsewhere', () => {
    const environment = readEnvironment({ UELLM_API_URL: 'https://uellm.example', UELLM_PROFILER_URL: 'http://profiler.example' });
    expect(onThisMachine(environment)).toMatchObject({ apiUrl: 'http://127.0.0.1:8080', profilerUrl: 'http://127.0.0.1:8090' });
    // And ends quickly, unless it is told otherwise.
    expect(onThisMachine(environment).gateway.stopSeconds).toBe(5);
    expect(onThisMachine(readEnvironment({ UELLM_GATEWAY_STOP_SECONDS: '60' })).gateway.stopSeconds).toBe(60);
  });

  it.each(SCHEDULER_POLICIES.map(({ name }) => name))('takes the scheduling policy %s', (name) => {
    expect(readEnvironment({ UELLM_SCHEDULER_POLICY: name }).schedulerPolicy).toBe(name);
  });

  it('goes on to child processes whole', () => {
    const variables = {
      UELLM_API_PORT: '18080',
      DATABASE_URL: 'postgres://u:p@h/d',
      TEMPORAL_ADDRESS: 'temporal.example:7233',
      TEMPORAL_TLS_CERT: 'client.pem',
      TEMPORAL_TLS_KEY: 'client.key',
      TEMPORAL_API_KEY: 'abc',
      UELLM_CODEC_KEY_FILE: 'codec.keys',
      UELLM_TLS_CERT: 'server.pem',
      UELLM_TLS_KEY: 'server.key',
      UELLM_WORKER_METRICS_PORT: '9464',
      UELLM_API_KEY: 'k',
      UELLM_OIDC_ISSUER: 'https://id.example',
      UELLM_OIDC_AUDIENCE: 'uellm',
      UELLM_OIDC_ROLE_CLAIM: 'realm_access.roles',
      UELLM_MONITOR_SECONDS: '0',
      UELLM_OBSERVATION_RETENTION_DAYS: '7',
      UELLM_HOST_LOST_SECONDS: '30',
      UELLM_ACCELERATORS_FILE: 'accelerators.yaml',
      UELLM_MODEL_CACHE_DIR: 'models',
      UELLM_HF_COMMAND: '/venv/bin/hf',
      UELLM_FETCH_STALL_MINUTES: '3',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      UELLM_GATEWAY_WORKERS: '4',
      UELLM_GATEWAY_WORKER: '2',
      UELLM_GATEWAY_DRAIN_SECONDS: '10',
      UELLM_GATEWAY_STOP_SECONDS: '0',
      UELLM_GATEWAY_KEEP_ALIVE_SECONDS: '0',
      UELLM_GATEWAY_MAX_HELD_MIB: '512',
      UELLM_GATEWAY_EXPLAIN: 'false',
    };
    const environment = readEnvironment(variables);
    expect(readEnvironment(variablesOf(environment))).toEqual(environment);
  });

  it.each([
    [{ UELLM_API_PORT: 'eighty' }, 'UELLM_API_PORT: got "eighty", allowed is a port number from 1 to 65535'],
    [{ UELLM_GATEWAY_PORT: '70000' }, 'UELLM_GATEWAY_PORT: got "70000", allowed is a port number from 1 to 65535'],
    [{ UELLM_GATEWAY_PORT: '8080' }, 'UELLM_GATEWAY_PORT: got "8080", allowed is a port other than that of UELLM_API_PORT'],
    [{ DATABASE_URL: 'mysql://x' }, 'DATABASE_URL: got something else, allowed is a URL that begins with postgres://'],
    [{ TEMPORAL_ADDRESS: 'temporal' }, 'TEMPORAL_ADDRESS: got "temporal", allowed is HOST:PORT'],
    [{ UELLM_BIND: '0.0.0.0' }, 'UELLM_BIND: got "0.0.0.0", allowed is a loopback address unless UELLM_API_KEY is set'],
    [
      { UELLM_OIDC_ISSUER: 'http://id.example', UELLM_OIDC_AUDIENCE: 'u' },
      'UELLM_OIDC_ISSUER: got "http://id.example", allowed is an https URL',
    ],
    [{ UELLM_OIDC_ISSUER: 'https://id.example' }, 'UELLM_OIDC_AUDIENCE: got nothing, allowed is the audience that tokens'],
    [{ UELLM_API_KEY: 'not secret' }, 'UELLM_API_KEY: got something else, allowed is a key of printable ASCII characters without blanks'],
    [{ UELLM_GATEWAY_MAX_QUEUED: '0' }, 'UELLM_GATEWAY_MAX_QUEUED: got "0", allowed is a whole number of requests from 1 to 1000000'],
    [{ UELLM_SCHEDULER_POLICY: 'best' }, 'UELLM_SCHEDULER_POLICY: got "best", allowed is one of "round-robin"'],
    [{ UELLM_GATEWAY_WORKERS: '0' }, 'UELLM_GATEWAY_WORKERS: got "0", allowed is a whole number from 1 to 64'],
    [{ UELLM_MONITOR_SECONDS: '90' }, 'UELLM_MONITOR_SECONDS: got "90", allowed is seconds from 1 to 60, or 0 for no monitoring'],
    [{ UELLM_HOST_LOST_SECONDS: '4' }, 'UELLM_HOST_LOST_SECONDS: got "4", allowed is a whole number of seconds from 5 to 3600'],
    [
      { UELLM_OBSERVATION_RETENTION_DAYS: '0' },
      'UELLM_OBSERVATION_RETENTION_DAYS: got "0", allowed is a whole number of days from 1 to 3650',
    ],
    [
      { UELLM_OBSERVATION_RETENTION_DAYS: '1.5' },
      'UELLM_OBSERVATION_RETENTION_DAYS: got "1.5", allowed is a whole number of days from 1 to 3650',
    ],
    [{ UELLM_MONITOR_SECONDS: 'often' }, 'UELLM_MONITOR_SECONDS: got "often", allowed is seconds from 1 to 60, or 0 for no monitoring'],
    [{ TEMPORAL_TLS_CERT: 'a.pem' }, 'TEMPORAL_TLS_KEY: got nothing, allowed is a file, as TEMPORAL_TLS_CERT is one'],
    [{ UELLM_TLS_KEY: 'a.key' }, 'UELLM_TLS_CERT: got nothing, allowed is a file, as UELLM_TLS_KEY is one'],
    [{ TEMPORAL_API_KEY: 'not secret' }, 'TEMPORAL_API_KEY: got something else'],
    [{ UELLM_LOG_LEVEL: 'loud' }, 'UELLM_LOG_LEVEL: got "loud", allowed is one of "debug", "info", "warn", "error"'],
  ])('refuses %j', (variables, message) => {
    expect(() => readEnvironment(variables)).toThrow(message);
  });
});
