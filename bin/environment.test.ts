import { describe, expect, it } from 'vitest';
import { SCHEDULER_POLICIES } from '../core/scheduler/registry.ts';
import { onThisMachine, readEnvironment, variablesOf } from './environment.ts';

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
  });

  it.each(SCHEDULER_POLICIES.map(({ name }) => name))('takes the scheduling policy %s', (name) => {
    expect(readEnvironment({ UELLM_SCHEDULER_POLICY: name }).schedulerPolicy).toBe(name);
  });

  it('goes on to child processes whole', () => {
    const variables = {
      UELLM_API_PORT: '18080',
      DATABASE_URL: 'postgres://u:p@h/d',
      UELLM_API_KEY: 'k',
      UELLM_MONITOR_SECONDS: '0',
      UELLM_OBSERVATION_RETENTION_DAYS: '7',
      UELLM_HOST_LOST_SECONDS: '30',
      UELLM_ACCELERATORS_FILE: 'accelerators.yaml',
      UELLM_MODEL_CACHE_DIR: 'models',
      UELLM_HF_COMMAND: '/venv/bin/hf',
      UELLM_FETCH_STALL_MINUTES: '3',
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
    [{ UELLM_API_KEY: 'not secret' }, 'UELLM_API_KEY: got something else, allowed is a key of printable ASCII characters without blanks'],
    [{ UELLM_SCHEDULER_POLICY: 'best' }, 'UELLM_SCHEDULER_POLICY: got "best", allowed is one of "round-robin"'],
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
    [{ UELLM_LOG_LEVEL: 'loud' }, 'UELLM_LOG_LEVEL: got "loud", allowed is one of "debug", "info", "warn", "error"'],
  ])('refuses %j', (variables, message) => {
    expect(() => readEnvironment(variables)).toThrow(message);
  });
});
