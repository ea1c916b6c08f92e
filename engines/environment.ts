/** The environment that engines inherit: the host worker's (proxies, CUDA, HF_HOME, VLLM_…) without what is only ours to know. */

const OURS = /^(UELLM_|TEMPORAL_|DATABASE_URL$|PG[A-Z]+$)/;

export function engineEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OURS.test(name)));
}
